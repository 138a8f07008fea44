"""Every error akili raises on purpose.

AkiliError                     1 / 500
|-- UsageError                64 / 400   the caller's words are off
|   |-- InvalidBodyError      64 / 400   a request's body, query or headers do not fit; ``fields`` names where
|   |-- TooLargeError         64 / 413   a request is larger than the gateway takes
|   |-- UnsupportedTypeError  64 / 415   a request's body is not JSON
|   `-- SlowRequestError      64 / 408   a request did not arrive in time
|-- InvalidArgumentsError      1 / 400   a tool call's arguments do not fit its schema
|-- ConfigError                1 / 500   a config file, variable or flag is refused at start
|-- WorkspaceError             1 / 500   the workspace cannot be used
|-- RefusedError               2 / 403   akili said no
|   |-- UnauthorizedError      2 / 401   nobody knows the key
|   |-- RateLimitedError       2 / 429   too many requests; ``retry_after_s`` says when again
|   |-- BusyError              2 / 429   as much is under way as may be
|   |-- PolicyDeniedError      2 / 403
|   |-- ApprovalRequiredError  2 / 202
|   `-- BudgetExceededError    2 / 402
|-- NotFoundError              1 / 404
|-- ConflictError              1 / 409   the state does not allow it (already resolved, changed meanwhile)
|   |-- ExpiredError           1 / 410
|   |-- KeyReusedError         1 / 409   an Idempotency-Key was used for something else
|   `-- AlreadyBegunError      1 / 409   an earlier attempt began it and was cut off
|-- PreconditionError          1 / 412   it is no longer as the caller saw it last
|-- UnavailableError           3 / 503   the gateway cannot be reached
|-- NotAvailableError          1 / 501   this version has the place for it and not the thing
|-- ModelError                 1 / 502   a model provider failed; ``retryable`` says if trying again may help
|-- ToolFailedError            1 / 500
|-- RunFailedError             1 / 500   a run ended without an answer
|   |-- RunTimeoutError        1 / 504   it took longer than it may
|   `-- RunInterruptedError  130 / 409   somebody stopped it, or a crash did
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


class InvalidBodyError(UsageError):
    """A request does not fit; ``fields`` are pairs of a place and what is wrong there."""

    code = "invalid_body"

    def __init__(self, message: str, *, hint: str = "", fields: tuple[tuple[str, str], ...] = ()) -> None:
        """Keep the message, the hint and the places."""
        super().__init__(message, hint=hint)
        self.fields = fields


class TooLargeError(UsageError):
    """A request is larger than the gateway takes."""

    code, http_status = "too_large", 413


class UnsupportedTypeError(UsageError):
    """A request's body is of a kind that the gateway does not read."""

    code, http_status = "unsupported_type", 415


class SlowRequestError(UsageError):
    """A request did not arrive in time."""

    code, http_status = "request_timeout", 408


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


class UnauthorizedError(RefusedError):
    """No key was given, or nobody knows it; which of the two is not said."""

    code, http_status = "unauthorized", 401


class RateLimitedError(RefusedError):
    """Too many requests; the same one works ``retry_after_s`` seconds later."""

    code, http_status = "rate_limited", 429

    def __init__(self, message: str, *, retry_after_s: float, hint: str = "") -> None:
        """Keep the message, the hint and how long to wait."""
        super().__init__(message, hint=hint, retryable=True)
        self.retry_after_s = retry_after_s


class BusyError(RefusedError):
    """As much is under way as may be at once; later there may be room."""

    code, http_status = "busy", 429

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message and the hint."""
        super().__init__(message, hint=hint, retryable=True)


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


class KeyReusedError(ConflictError):
    """The same ``Idempotency-Key`` came with another request before."""

    code = "idempotency_key_reused"


class AlreadyBegunError(ConflictError):
    """An earlier attempt at the same run began this call; how far it came is not known."""

    code = "already_begun"


class PreconditionError(AkiliError):
    """It is no longer as the caller saw it last, and so was left alone."""

    code, http_status = "precondition_failed", 412


class UnavailableError(AkiliError):
    """The gateway cannot be reached."""

    code, exit_code, http_status = "unavailable", 3, 503


class NotAvailableError(AkiliError):
    """This version has the place for it and not the thing."""

    code, http_status = "not_available", 501


class ModelError(AkiliError):
    """A model provider failed or answered nonsense."""

    code, http_status = "model", 502


class ToolFailedError(AkiliError):
    """A tool could not do its work."""

    code = "tool_failed"


class RunFailedError(AkiliError):
    """A run ended without an answer."""

    code = "run_failed"


class RunTimeoutError(RunFailedError):
    """A run took longer than it may."""

    code, http_status = "timeout", 504


class RunInterruptedError(RunFailedError):
    """Somebody stopped a run, or it was cut off where it may not be repeated."""

    code, exit_code, http_status = "interrupted", 130, 409


class SandboxError(AkiliError):
    """A required sandbox layer could not be set up; the command did not run."""

    code = "sandbox"


class StorageError(AkiliError):
    """The database refused or is gone."""

    code, http_status = "storage", 503


class AuditError(AkiliError):
    """The audit record could not be made durable; the action did not run."""

    code = "audit"
