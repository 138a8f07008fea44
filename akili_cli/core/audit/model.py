"""The words of the audit: what one record says, and the entry it becomes once it is chained."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from akili_cli.domain.calls import Principal

LONG_CHARS = 2000
_HEAD_CHARS = 400
_CODE_LINES = 3


class Kind(enum.StrEnum):
    """What a record is about."""

    CALL_INTENT = "call.intent"
    CALL_OUTCOME = "call.outcome"
    APPROVAL = "approval"
    MODEL_CALL = "model.call"
    RUN = "run"
    POLICY = "policy"
    AUDIT = "audit"
    STATE = "state"
    ANOMALY = "anomaly"


class Result(enum.StrEnum):
    """How it ended, or that it is only intended."""

    INTENT = "intent"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    INVALID = "invalid"
    DENIED = "denied"
    POLICY_DENIED = "policy_denied"
    APPROVAL_PENDING = "approval_pending"
    PLANNED = "planned"
    VOTED = "voted"
    APPROVED = "approved"
    AUTO_APPROVED = "auto_approved"
    AUTONOMOUS_APPROVED = "autonomous_approved"
    EXPIRED = "expired"
    CACHE_HIT = "cache_hit"
    BUDGET_EXCEEDED = "budget_exceeded"
    UNAVAILABLE = "unavailable"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    STARTED = "started"
    FINISHED = "finished"
    CHANGED = "changed"
    NOTICED = "noticed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that is about to happen or has happened. Empty fields are left out of the written form.

    ``digest`` is the call digest, ``rule`` the deciding rule as ``id@origin``, ``rules`` every rule that
    matched. ``cost_usd`` None means unpriced, which is not the same as 0.0. ``intent`` is the id of the intent that
    this ends in the place of a process that could not.

    ``decided_at`` (epoch seconds) stands on every record of a decided call: then ``agent``, ``role``, ``skill``,
    ``mode`` (``autonomous``, ``read_only``, ``plan``) and ``untrusted`` are all that policy knew besides the call,
    and empty means none. ``altered`` names what the log redacted or shortened.

    ``facts`` is what was measured while it happened and is said nowhere else: ``executions`` (each command that ran in
    the sandbox), ``channel_type``, ``provider``, ``model``, ``input_tokens``, ``output_tokens``, ``plan``.
    """

    kind: Kind
    result: str
    org: str = "default"
    user: str = ""
    source: str = ""
    correlation_id: str = ""
    run_id: str = ""
    conversation_id: str = ""
    tool: str = ""
    call_id: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    digest: str = ""
    verdict: str = ""
    risk: str = ""
    rule: str = ""
    rules: tuple[str, ...] = ()
    effects: Mapping[str, object] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    duration_s: float | None = None
    cost_usd: float | None = None
    tokens_used: int | None = None
    approved_by: str = ""
    error: str = ""
    output_sha256: str = ""
    output_bytes: int | None = None
    intent: str = ""
    agent: str = ""
    role: str = ""
    skill: str = ""
    mode: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    decided_at: float | None = None
    altered: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    def columns(self) -> dict[str, str]:
        """Give the fields that are columns of their own, by column name."""
        return {
            "kind": str(self.kind),
            "org_id": self.org,
            "user_id": self.user,
            "source": self.source,
            "correlation_id": self.correlation_id,
            "run_id": self.run_id,
            "conversation_id": self.conversation_id,
            "tool": self.tool,
            "call_id": self.call_id,
            "result": str(self.result),
        }

    def details(self) -> dict[str, object]:
        """Give all other fields that say something."""
        out: dict[str, object] = {}
        for name in _DETAILS:
            value = getattr(self, name)
            if value is not None and value not in ("", (), {}):
                out[name] = value
        return out


def change_by(
    by: Principal, org: str, tool: str, parameters: Mapping[str, object], *, kind: Kind = Kind.POLICY
) -> AuditRecord:
    """Give the record of a person's change to what akili keeps."""
    return AuditRecord(
        kind=kind,
        org=org,
        user=by.user,
        source=str(by.source),
        tool=tool,
        parameters=parameters,
        result=Result.CHANGED,
    )


_OWN_COLUMNS = frozenset(
    "kind result org user source correlation_id run_id conversation_id tool call_id".split()  # noqa: SIM905 - readable
)
_DETAILS = tuple(f.name for f in fields(AuditRecord) if f.name not in _OWN_COLUMNS)
_TUPLES = ("rules", "layers", "mode", "untrusted", "altered")
_RENAMED = ("org_id", "user_id")
_COLUMNS = (*_RENAMED, *sorted(_OWN_COLUMNS - {"kind", "org", "user"}))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A record in its place in the chain; ``id`` is ``<stream>-<seq>``, ``at`` is epoch seconds."""

    id: str
    stream: str
    seq: int
    at: float
    prev_hash: str
    hash: str
    record: AuditRecord

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form: the place in the chain, then what the record says."""
        place = {name: getattr(self, name) for name in ("id", "stream", "seq", "at", "prev_hash", "hash")}
        said = {name: getattr(self.record, name) for name in sorted(_OWN_COLUMNS)}
        return {**place, **said, **self.record.details()}


def record_from(columns: Mapping[str, object], details: Mapping[str, object]) -> AuditRecord:
    """Rebuild a record from its row's columns and details; raises ``ValueError`` when it is none."""
    known = {name: value for name, value in details.items() if name in _DETAILS}
    for name in _TUPLES:
        value = known.get(name)
        if value is not None:
            if not isinstance(value, list):
                raise ValueError(f"{name} is no list")
            known[name] = tuple(str(item) for item in value)
    plain = {name.removesuffix("_id") if name in _RENAMED else name: columns[name] for name in _COLUMNS}
    return AuditRecord(kind=Kind(str(columns["kind"])), **plain, **known)  # type: ignore[arg-type] # our own text


def condensed(details: Mapping[str, object]) -> dict[str, object]:
    """Shorten what is long: file contents and code to length and hash, other texts to a head and a hash.

    Expects redacted values, so that a hash never confirms a guess at a secret.
    """
    out = {name: _shorter(value) for name, value in details.items()}
    parameters = out.get("parameters")
    if isinstance(parameters, dict):
        for name, head in (("content", ""), ("code", None)):
            text = details["parameters"].get(name) if isinstance(details["parameters"], Mapping) else None
            if isinstance(text, str) and text:
                first = "\n".join(text.splitlines()[:_CODE_LINES])[:_HEAD_CHARS] if head is None else head
                parameters[name] = _summary(text, first)
    return out


def _shorter(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= LONG_CHARS else _summary(value, value[:_HEAD_CHARS])
    if isinstance(value, Mapping):
        return {name: _shorter(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shorter(item) for item in value]
    return value


def _summary(text: str, head: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{head}[cut: {len(text)} characters, sha256 {digest}]"
