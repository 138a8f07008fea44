"""Every error akili raises on purpose.

AkiliError                     1 / 500
|-- UsageError                64 / 400   the caller's words are off
|-- InvalidArgumentsError      1 / 400   a tool call's arguments do not fit its schema
|-- ConfigError                1 / 500   a config file, variable or flag is refused at start
|-- WorkspaceError             1 / 500   the workspace cannot be used
|-- RefusedError               2 / 403   akili said no
|   |-- PolicyDeniedError      2 / 403
|   |-- ApprovalRequiredError  2 / 202
|   `-- BudgetExceededError    2 / 402
|-- NotFoundError              1 / 404
|-- ConflictError              1 / 409   the state does not allow it (already resolved, changed meanwhile)
|   |-- ExpiredError           1 / 410
|   `-- AlreadyBegunError      1 / 409   an earlier attempt began it and was cut off
|-- UnavailableError           3 / 503   the gateway cannot be reached
|-- ModelError                 1 / 502   a model provider failed; ``retryable`` says if trying again may help
|-- ToolFailedError            1 / 500
|-- SandboxError               1 / 500   a layer could not be set up, so nothing ran
|-- StorageError               1 / 503
`-- AuditError                 1 / 500   the record could not be written, so nothing runs
"""

from __future__ import annotations

from typing import ClassVar


class AkiliError(Exception):
    """The root: ``str(error)`` says what happened, ``hint`` what to do about it."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        """Keep the message, the hint, and whether the same call may work later."""
        super().__init__(message)
        self.hint = hint
        self.retryable = retryable


class UsageError(AkiliError):
    """The command line or request is malformed."""

    code, exit_code, http_status = "usage", 64, 400


class InvalidArgumentsError(AkiliError):
    """A tool call's arguments do not fit the tool's schema."""

    code, http_status = "invalid_arguments", 400


class ConfigError(AkiliError):
    """A config file, environment variable or flag is refused; nothing was started."""

    code = "config"


class WorkspaceError(AkiliError):
    """The workspace directory cannot be created, read or written."""

    code = "workspace"


class RefusedError(AkiliError):
    """Akili said no."""

    code, exit_code, http_status = "refused", 2, 403


class PolicyDeniedError(RefusedError):
    """A rule denies the call."""

    code = "policy_denied"


class ApprovalRequiredError(RefusedError):
    """A human must decide first."""

    code, http_status = "approval_required", 202


class BudgetExceededError(RefusedError):
    """The remaining budget does not cover the call."""

    code, http_status = "budget_exceeded", 402


class NotFoundError(AkiliError):
    """Nothing by that name or id, or it belongs to somebody else."""

    code, http_status = "not_found", 404


class ConflictError(AkiliError):
    """The current state does not allow it."""

    code, http_status = "conflict", 409


class ExpiredError(ConflictError):
    """It was valid once."""

    code, http_status = "expired", 410


class AlreadyBegunError(ConflictError):
    """An earlier attempt at the same run began this call; how far it came is not known."""

    code = "already_begun"


class UnavailableError(AkiliError):
    """The gateway cannot be reached."""

    code, exit_code, http_status = "unavailable", 3, 503


class ModelError(AkiliError):
    """A model provider failed or answered nonsense."""

    code, http_status = "model", 502


class ToolFailedError(AkiliError):
    """A tool could not do its work."""

    code = "tool_failed"


class SandboxError(AkiliError):
    """A required sandbox layer could not be set up; the command did not run."""

    code = "sandbox"


class StorageError(AkiliError):
    """The database refused or is gone."""

    code, http_status = "storage", 503


class AuditError(AkiliError):
    """The audit record could not be made durable; the action did not run."""

    code = "audit"
