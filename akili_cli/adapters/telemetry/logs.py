"""Sets up logging, once: to stderr, redacted, as text for people or JSON lines for machines."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.clock import iso

correlation: ContextVar[str] = ContextVar("correlation", default="")

_QUIET = ("asyncio", "httpcore", "httpx", "litellm", "LiteLLM", "LiteLLM Router", "openai", "psycopg", "urllib3")
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_LINE_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


def configure_logging(level: str, json: bool, redactor: Redactor) -> None:
    """Send all log records of this level and above, and warnings, to stderr; replaces earlier set-ups.

    Every record is redacted when it is made, so that a handler which a library brings along shows no secret either.
    Raises ``ValueError`` for an unknown level. Third-party loggers stay at warnings and above.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level!r} is not a log level; use debug, info, warning or error")
    logging.setLogRecordFactory(_factory(redactor))
    logging.captureWarnings(capture=True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redactor) if json else TextFormatter(redactor))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.raiseExceptions = False  # a closed stderr is no reason to print arguments nobody has redacted


def _factory(redactor: Redactor) -> Callable[..., logging.LogRecord]:
    def made(*args: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401  # whatever a record is made of
        record = logging.LogRecord(*args, **named)
        record.msg, record.args = redactor.text(_message(record)), None
        if record.exc_info:
            record.exc_text = redactor.text(_exception(record))
        return record

    return made


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, the record's extras, the exception."""

    def __init__(self, redactor: Redactor) -> None:
        """Keep the redactor."""
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; never raises, whatever its arguments are."""
        said: dict[str, object] = {
            "time": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        said = {**_extras(record), **said}
        if record.exc_info:
            said["exception"] = _exception(record)
        return jsonlib.dumps(self._redactor.value(said))


class TextFormatter(logging.Formatter):
    """One line per record that no argument can break or fake; a traceback follows on lines of its own."""

    def __init__(self, redactor: Redactor) -> None:
        """Keep the redactor."""
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; never raises, whatever its arguments are."""
        extras = self._redactor.value(_extras(record))
        shown = extras.items() if isinstance(extras, dict) else ()
        words = [self._redactor.text(_message(record)), *(f"{name}={value}" for name, value in shown)]
        line = f"{iso(record.created)} {record.levelname.lower():<8}{record.name}: {_one_line(' '.join(words))}"
        if not record.exc_info:
            return line
        trace = self._redactor.text(_exception(record))
        return "\n".join([line, *(f"  {_one_line(part)}" for part in trace.splitlines())])


def _one_line(text: str) -> str:
    shown = text.translate(_LINE_BREAKS)
    if shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in shown)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError):
        return f"{record.msg!s:.2000} (arguments do not fit)" if isinstance(record.msg, str) else "(no message)"


def _extras(record: logging.LogRecord) -> dict[str, object]:
    extras = {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
    current = correlation.get()
    if current:
        extras.setdefault("correlation_id", current)
    return extras


def _exception(record: logging.LogRecord) -> str:
    kind, error, trace = record.exc_info or (None, None, None)
    if error is None or kind is None:
        return ""
    return _written(kind, error, trace)


def _written(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    return "".join(traceback.format_exception(kind, error, trace)).rstrip()
