"""The words of undo: one entry for each file that a call changed."""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass

KEEPING_TOOLS = frozenset({"file_write", "file_restore", "git_write", "git_restore"})
_OF_REPOSITORIES = frozenset({"git_write", "git_restore"})


class UndoState(enum.StrEnum):
    """Where an entry stands."""

    READY = "ready"
    UNDONE = "undone"
    UNFINISHED = "unfinished"
    NOT_KEPT = "not kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoEntry:
    """One file before and after one call. A digest is SHA-256 (hex), None where there is no file.

    ``finished_at`` None means that akili stopped between keeping the image and seeing the effect's end, so
    ``after`` is not known. ``why_not`` says why no image is there. ``undo_of`` names the entry that this one undid.
    """

    id: str
    org: str
    user: str
    host: str
    tool: str
    run_id: str
    call_id: str
    audit_id: str
    path: str
    at: float
    before: str | None = None
    mode: int = 0
    uid: int = 0
    gid: int = 0
    stored_bytes: int = 0
    after: str | None = None
    finished_at: float | None = None
    undone_at: float | None = None
    undo_of: str | None = None
    why_not: str | None = None

    @property
    def state(self) -> UndoState:
        """Where it stands."""
        if self.undone_at is not None:
            return UndoState.UNDONE
        if self.finished_at is None:
            return UndoState.UNFINISHED
        return UndoState.READY if self.why_not is None else UndoState.NOT_KEPT

    @property
    def restored_by(self) -> str:
        """The tool that undoes it: ``git_restore`` where ``path`` is a repository, whose state is one entry."""
        return "git_restore" if self.tool in _OF_REPOSITORIES else "file_restore"

    @property
    def obstacle(self) -> str:
        """Why it cannot be undone, if so."""
        match self.state:
            case UndoState.READY:
                return ""
            case UndoState.UNDONE:
                return "undone already"
            case UndoState.UNFINISHED:
                return f"akili stopped while {self.tool} was at work"
            case UndoState.NOT_KEPT:
                return self.why_not or ""

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form."""
        return {
            "id": self.id,
            "state": str(self.state),
            "user": self.user,
            "host": self.host,
            "tool": self.tool,
            "path": self.path,
            "at": self.at,
            "before": self.before,
            "after": self.after,
            "finished_at": self.finished_at,
            "undone_at": self.undone_at,
            "undo_of": self.undo_of,
            "why_not": self.why_not,
            "obstacle": self.obstacle,
            "run_id": self.run_id,
            "call_id": self.call_id,
            "audit_id": self.audit_id,
        }


def new_entry_id() -> str:
    """Give 16 hex characters."""
    return secrets.token_hex(8)
