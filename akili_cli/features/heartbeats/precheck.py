"""The gate before a task: one tool call, and the digest of what it gave."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from akili_cli.adapters.engine.base import Steps
from akili_cli.core.execution.cache import ResultCache
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Principal, Run, Status, StepResult, ToolCall, canonical_json
from akili_cli.domain.ids import new_uuid
from akili_cli.features.heartbeats.model import Precheck, PrecheckKind

RUNS = uuid.UUID("0b6c7a52-5d0e-5b5e-8a44-1f3f0f6a9d20")
"""The name space of the checks' run ids: every attempt at one fire's check is the same run."""

_TOOLS = {PrecheckKind.COMMAND: "shell_exec", PrecheckKind.HTTP: "web_fetch", PrecheckKind.FILE: "file_read"}
_ARGUMENTS = {PrecheckKind.COMMAND: "command", PrecheckKind.HTTP: "url", PrecheckKind.FILE: "path"}
_FACTS = ("exit_code", "status_code", "sha256", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check gave: a ``digest``, or (empty) the ``status`` it ended with and why in ``error``."""

    digest: str
    status: Status = Status.OK
    error: str = ""


async def check(
    precheck: Precheck, pipeline: Pipeline, who: Principal, steps: Steps, *, correlation_id: str, max_cost_usd: float
) -> Checked:
    """Look, as this user, through policy, approval and audit like any call; kept over a crash.

    Nothing remembered answers it. A call that must be approved is waited for. Only a call that went well gives a
    digest: a command that ends with an exit code, a page with an error status, a file that is not there, and output
    that is too long to be compared whole do not.
    """
    run = Run(
        id=str(uuid.uuid5(RUNS, steps.run_id)),
        principal=who,
        correlation_id=correlation_id,
        max_cost_usd=max_cost_usd,
        once="precheck",
    )
    pipeline = replace(pipeline, cache=ResultCache(pipeline.clock))
    call = ToolCall(new_uuid(), _TOOLS[precheck.kind], {_ARGUMENTS[precheck.kind]: precheck.value})

    async def look() -> object:
        return _kept(precheck, await pipeline.run(call, run, reason="a heartbeat task looks whether anything changed"))

    kept = cast("Mapping[str, Any]", await steps.step("precheck", look))
    if kept["approval_id"] is not None and kept["status"] == Status.APPROVAL_REQUIRED:
        held = str(kept["approval_id"])

        async def ruled() -> object:
            await pipeline.approvals.ruled(held)
            return _kept(precheck, await pipeline.proceed(held))

        kept = cast("Mapping[str, Any]", await steps.step("precheck ruled", ruled))
    return Checked(digest=kept["digest"], status=Status(kept["status"]), error=kept["error"])


def _kept(precheck: Precheck, step: StepResult) -> dict[str, object]:
    """Give what of a step must outlive a crash: the digest and not the output."""
    digest, status, error = "", step.status, step.text
    if step.status is Status.OK and step.metadata.get("truncated"):
        status, error = Status.FAILED, "the output is too long to be compared whole"
    elif step.status is Status.OK:
        facts = {name: step.metadata[name] for name in _FACTS if name in step.metadata}
        text = canonical_json([str(precheck), facts, step.text])
        digest, error = hashlib.sha256(text.encode()).hexdigest(), ""
    return {"digest": digest, "status": str(status), "error": error[:2000], "approval_id": step.approval_id}
