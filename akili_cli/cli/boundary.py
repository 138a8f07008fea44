"""Between the shell and the code: one event loop, signals, and every error turned into words and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

import typer

from akili_cli import __version__
from akili_cli.cli import render
from akili_cli.domain.errors import AkiliError

T = TypeVar("T")
USAGE, BUG, INTERRUPTED, TERMINATED, BROKEN_PIPE = 64, 70, 130, 143, 141


class Terminated(BaseException):
    """SIGTERM arrived."""


def run_command_line(arguments: list[str]) -> int:
    """Parse, run, and give the exit code; never a traceback for anything but a bug, and then in a file."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _terminate)
        _fill_standard_streams()
        from akili_cli.cli.main import app

        code = typer.main.get_command(app)(arguments, prog_name="akili", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # which the parser says nothing about
            render.talk("interrupted")
    except BaseException as error:  # the one place where everything ends
        code = _exit_code(error)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
    return code if isinstance(code, int) else 0


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Let a SIGTERM that arrives outside of the event loop end akili in order, as Ctrl-C does."""
    raise Terminated


def _exit_code(error: BaseException) -> int:
    match error:
        case typer.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case KeyboardInterrupt() | typer.Abort():
            render.talk("interrupted")
            return INTERRUPTED
        case Terminated():
            render.talk("terminated")
            return TERMINATED
        case render.ReaderGoneError():
            return BROKEN_PIPE
        case AkiliError():
            fatal(error)
            return error.exit_code
        case typer.TyperException():
            render.talk(f"usage: {error.format_message()}", "red")
            render.talk("try: akili --help")
            return USAGE
        case _:
            return _bug(error)


def fatal(error: AkiliError) -> None:
    """Say what went wrong and what to do."""
    render.talk(f"fatal: {_clean(str(error))}", "red")
    if error.hint:
        render.talk(f"hint: {_clean(error.hint)}")


def _clean(text: str) -> str:
    """Give a text without secrets, also when akili failed before it had read its configuration."""
    from akili_cli.adapters.secrets.taint import taint_environment
    from akili_cli.cli.egress import redactor

    taint_environment(redactor, os.environ)
    return redactor.text(text)


def _fill_standard_streams() -> None:
    """Put nothing in the place of standard streams that are closed, so that no file ever gets their numbers."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _bug(error: BaseException) -> int:
    import platform
    import traceback

    report = "".join(traceback.format_exception(error))
    head = f"akili {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    render.talk(f"bug: {type(error).__name__}: this should not have happened", "red")
    try:
        name = _kept(_clean(head + report))
    except OSError as failure:
        render.talk(f"no report could be written: {failure.strerror}")
    else:
        render.talk(f"a report was written to {name}; it holds no secrets that akili knows of")
    return BUG


def _kept(report: str) -> str:
    """Write a crash report to the workspace's logs, else where temporary files go; give its name."""
    with contextlib.suppress(OSError):
        return _written(report, _logs())
    return _written(report, None)


def _written(report: str, directory: str | None) -> str:
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix="akili-crash-", suffix=".log", dir=directory)  # 0600
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(report)
    return name


def _logs() -> str | None:
    try:
        from akili_cli.config.paths import open_workspace

        return str(open_workspace(os.environ).logs_dir)
    except Exception:  # whatever is wrong with the workspace, there is a report to write
        return None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine. Ctrl-C and SIGTERM cancel it, so that every clean-up runs before the exit."""
    import asyncio

    return asyncio.run(_signalled(coroutine))


async def _signalled(coroutine: Coroutine[Any, Any, T]) -> T:
    import asyncio

    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(coroutine)
    arrived: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        arrived.append(number)
        task.cancel()

    before = signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not arrived:
            raise
        raise (KeyboardInterrupt if arrived[0] is signal.SIGINT else Terminated) from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
