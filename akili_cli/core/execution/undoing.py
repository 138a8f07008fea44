"""Puts a kept state back: a call of the tool that undoes, through the pipeline like any other."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.model import UndoEntry
from akili_cli.domain.calls import Principal, Run, StepResult, ToolCall
from akili_cli.domain.errors import ConflictError
from akili_cli.domain.ids import new_correlation_id, new_uuid


async def undo(
    pipeline: Pipeline, journal: Journal, entry: UndoEntry, me: Principal, correlation_id: str
) -> StepResult:
    """Undo one entry; raises ``ConflictError`` for one that cannot be undone, and then nothing was done."""
    if entry.obstacle and entry.restored_by == "git_restore":
        raise ConflictError(f"{entry.path!r} cannot be undone: {entry.obstacle}; nothing was done")
    if entry.restored_by == "file_restore":
        await journal.load(entry.id, me.user)
    where = "path" if entry.restored_by == "file_restore" else "repo_path"
    arguments = {"entry": entry.id, where: entry.path, "current": entry.after, "earlier": entry.before}
    reason = f"{me.user} asked to undo entry {entry.id}"
    return await restore(pipeline, entry.restored_by, arguments, me, reason, correlation_id)


async def restore(
    pipeline: Pipeline,
    tool: str,
    arguments: Mapping[str, object],
    me: Principal,
    reason: str,
    correlation_id: str = "",
) -> StepResult:
    """Put a call of a tool that undoes through the pipeline, as a run of its own."""
    run = Run(id=new_uuid(), principal=me, correlation_id=correlation_id or new_correlation_id())
    return await pipeline.run(ToolCall(new_uuid(), tool, arguments), run, reason=reason)
