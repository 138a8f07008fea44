"""Rulings that stand for a while: this exact call for a session, or a printed pattern; always with an end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals.model import NO_OFFER, AnswerKind, Offer
from akili_cli.core.policy.match import parse_command_pattern
from akili_cli.domain.calls import canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Decision
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.domain.ids import new_approval_id
from akili_cli.domain.paths import is_within_any
from akili_cli.domain.risk import Risk

MAX_PATTERN_CHARS = 500
_INSERT = """
INSERT INTO grants (id, org_id, user_id, scope, tool, risk, digest, session, pattern, approval_id, created_by,
    created_at, expires_at, uses)
VALUES (:id, :org, :user, :scope, :tool, :risk, :digest, :session, :pattern, :approval_id, :created_by,
    :created_at, :expires_at, 0)
"""
MIN_TYPED = 4
_INTERPRETERS = frozenset(
    (
        *("sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "python", "python3", "perl", "ruby", "node", "php"),
        *("lua", "awk", "gawk", "mawk", "sed", "sudo", "su", "doas", "env", "xargs", "find", "ssh", "git", "docker"),
        "kubectl",
    )
)
_VERB = re.compile(r"[a-z][a-z0-9-]{1,30}")
_KINDS = ("reads", "writes", "deletes", "hosts")
_UNKNOWABLE = ("nodes", "secrets", "channels", "servers")
Pattern = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Grant:
    """One standing ruling. ``pattern`` is what a pattern covers; for a session ``digest`` is the exact call."""

    id: str
    org: str
    user: str
    scope: str
    tool: str
    risk: int
    digest: str
    session: str
    pattern: Pattern
    approval_id: str
    created_by: str
    created_at: float
    expires_at: float
    revoked_at: float | None = None
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a grant is made for or tried against."""

    user: str
    session: str
    tool: str
    digest: str
    effects: Effects
    decision: Decision


def grantable(asked: Asked) -> str | None:
    """Say why no standing ruling can be made for a call, or None when one can."""
    if asked.decision.risk >= Risk.CRITICAL:
        return "critical calls are approved one by one"
    if asked.effects.opaque is not None:
        return "its effects cannot be known"
    return None


def pattern_of(asked: Asked) -> Pattern | str:
    """Give what a pattern ruling would cover, or say why there is none.

    A shell call: the program with its first word, within the same directories and hosts. Files: the directory.
    """
    why_not = grantable(asked)
    if why_not is not None:
        return why_not
    effects = asked.effects
    if len(effects.commands) > 1:
        return "it runs more than one command"
    if any(getattr(effects, kind) for kind in _UNKNOWABLE):
        return "it uses more than files and hosts"
    if len(canonical_json(effects.as_dict())) > MAX_PATTERN_CHARS:
        return "it is too long to be judged as a pattern"
    pattern: dict[str, list[str]] = {kind: _roots(getattr(effects, kind), kind) for kind in _KINDS}
    if effects.commands:
        command = effects.commands[0]
        if command.wrappers or command.program in _INTERPRETERS or not command.argv:
            return f"{command.program} can run anything"
        verb = [word for word in command.argv[1:2] if _VERB.fullmatch(word)]
        pattern["commands"] = [" ".join([command.program, *verb])]
    return pattern


def _roots(values: tuple[str, ...], kind: str) -> list[str]:
    if kind == "hosts":
        return list(values)
    parents = dict.fromkeys(str(PurePosixPath(path).parent) for path in values)
    return list(values) if "/" in parents else list(parents)


def describe(grant: Grant) -> str:
    """Print what a grant covers, from the stored grant itself."""
    if grant.scope == AnswerKind.SESSION:
        return f"exactly the call {grant.digest[:12]} of {grant.tool}, in this session"
    return describe_pattern(grant.tool, grant.pattern)


def describe_pattern(tool: str, pattern: Pattern) -> str:
    """Print what a pattern covers."""
    parts = [f"{kind} {', '.join(values)}" for kind, values in pattern.items() if values]
    return f"{tool}: {'; '.join(parts)}"


def covers(grant: Grant, asked: Asked) -> bool:
    """Tell whether a grant speaks to a call: never above its risk, never critical or opaque, every effect inside."""
    if grantable(asked) is not None or asked.decision.risk > grant.risk or asked.tool != grant.tool:
        return False
    if grant.scope == AnswerKind.SESSION:
        return grant.digest == asked.digest and grant.session == asked.session
    effects = asked.effects
    if any(getattr(effects, kind) for kind in _UNKNOWABLE) or len(effects.commands) > 1:
        return False
    paths_inside = all(
        all(is_within_any(path, frozenset(grant.pattern.get(kind, ()))) for path in getattr(effects, kind))
        for kind in ("reads", "writes", "deletes")
    )
    hosts_inside = set(effects.hosts) <= set(grant.pattern.get("hosts", ()))
    tests = [parse_command_pattern(text) for text in grant.pattern.get("commands", ())]
    commands_inside = all(
        not command.wrappers and any(test(command, True) for test in tests) for command in effects.commands
    )
    return paths_inside and hosts_inside and commands_inside


class GrantBook:
    """The standing rulings of one organisation."""

    def __init__(self, db: Database, org: str, clock: Clock, ttl_s: float, redactor: Redactor) -> None:
        """Keep the parts; every grant ends after ``ttl_s`` seconds."""
        self._redactor = redactor
        self._db = db
        self._org = org
        self._clock = clock
        self._ttl_s = ttl_s

    def offer(self, asked: Asked) -> Offer:
        """Say which standing rulings may be given for a call, and what each would cover."""
        if grantable(asked) is not None:
            return NO_OFFER
        pattern = self._pattern(asked)
        text = None if isinstance(pattern, str) else describe_pattern(asked.tool, pattern)
        return Offer(session=f"exactly this call of {asked.tool}", pattern=text)

    def _pattern(self, asked: Asked) -> Pattern | str:
        """Give what may be stored in clear; a pattern that holds what is, or looks like, a secret may not."""
        pattern = pattern_of(asked)
        if isinstance(pattern, str):
            return pattern
        text = canonical_json(pattern)
        if self._redactor.text(text) != text or self._redactor.value(dict(pattern)) != pattern:
            return "what it names holds a secret, or what looks like one"
        return pattern

    async def give(self, kind: AnswerKind, asked: Asked, *, approval_id: str, by: str) -> Grant:
        """Store a ruling for a session or a pattern; raises ``ConflictError`` for what gets none."""
        pattern = self._pattern(asked) if kind is AnswerKind.PATTERN else {}
        why_not = pattern if isinstance(pattern, str) else grantable(asked)
        if why_not is not None or isinstance(pattern, str):
            raise ConflictError(f"it can only be approved once: {why_not}")
        now = self._clock.now()
        grant = Grant(
            id=new_approval_id(),
            org=self._org,
            user=asked.user,
            scope=str(kind),
            tool=asked.tool,
            risk=int(asked.decision.risk),
            digest=asked.digest,
            session=asked.session,
            pattern=pattern,
            approval_id=approval_id,
            created_by=by,
            created_at=now,
            expires_at=now + self._ttl_s,
        )
        await self._db.write(lambda conn: _add(conn, grant), durable=True)
        return grant

    async def use(self, asked: Asked) -> Grant | None:
        """Give the grant that covers a call, counted as used; None when there is none that still stands."""
        if grantable(asked) is not None:
            return None
        now = self._clock.now()
        standing = await self._db.read(lambda conn: _standing(conn, self._org, asked.user, asked.tool, now))
        for grant in standing:
            if covers(grant, asked) and await self._db.write(partial(_count_use, grant=grant, now=now)):
                return grant
        return None

    async def list(self, *, everything: bool = False) -> list[Grant]:
        """Give the grants that stand, newest first; with ``everything`` the ended ones too."""
        now = 0.0 if everything else self._clock.now()
        return await self._db.read(lambda conn: _listing(conn, self._org, now, ended=everything))

    async def revoke(self, grant_id: str) -> Grant:
        """End a grant at once; raises ``NotFoundError`` for an id (or its beginning) that none has."""
        typed = grant_id.strip().lower()
        found = [grant for grant in await self.list() if len(typed) >= MIN_TYPED and grant.id.startswith(typed)]
        if len(found) != 1:
            raise NotFoundError(f"no grant {grant_id!r} stands", hint="see: akili grants list")
        now = self._clock.now()
        await self._db.write(lambda conn: _revoke(conn, found[0], now), durable=True)
        return found[0]


def _add(conn: Connection, grant: Grant) -> None:
    conn.execute(
        _INSERT,
        {
            "id": grant.id,
            "org": grant.org,
            "user": grant.user,
            "scope": grant.scope,
            "tool": grant.tool,
            "risk": grant.risk,
            "digest": grant.digest,
            "session": grant.session,
            "pattern": canonical_json(grant.pattern),
            "approval_id": grant.approval_id,
            "created_by": grant.created_by,
            "created_at": grant.created_at,
            "expires_at": grant.expires_at,
        },
    )


def _standing(conn: Connection, org: str, user: str, tool: str, now: float) -> list[Grant]:
    sql = (
        "SELECT * FROM grants WHERE org_id = :org AND user_id = :user AND tool = :tool "
        "AND revoked_at IS NULL AND expires_at > :now ORDER BY created_at DESC LIMIT 100"
    )
    return [_grant(row) for row in conn.execute(sql, {"org": org, "user": user, "tool": tool, "now": now})]


def _listing(conn: Connection, org: str, now: float, *, ended: bool) -> list[Grant]:
    where = "" if ended else "AND revoked_at IS NULL AND expires_at > :now "
    sql = f"SELECT * FROM grants WHERE org_id = :org {where}ORDER BY created_at DESC LIMIT 200"  # noqa: S608  # fixed texts
    return [_grant(row) for row in conn.execute(sql, {"org": org} if ended else {"org": org, "now": now})]


def _count_use(conn: Connection, grant: Grant, now: float) -> bool:
    sql = (
        "UPDATE grants SET uses = uses + 1 "
        "WHERE org_id = :org AND id = :id AND revoked_at IS NULL AND expires_at > :now"
    )
    return conn.changed(sql, {"org": grant.org, "id": grant.id, "now": now}) == 1


def _revoke(conn: Connection, grant: Grant, now: float) -> None:
    sql = "UPDATE grants SET revoked_at = :now WHERE org_id = :org AND id = :id"
    conn.execute(sql, {"org": grant.org, "id": grant.id, "now": now})


def _grant(row: Row) -> Grant:
    values = {**row, "org": row["org_id"], "user": row["user_id"], "pattern": json.loads(str(row["pattern"]))}
    del values["org_id"], values["user_id"]
    return Grant(**values)
