"""Between the shell and the code: one event loop, signals, and every error turned into words and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Coroutine
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
    from akili_cli.cli.main import app

    _fill_standard_streams()
    try:
        code = typer.main.get_command(app)(arguments, prog_name="akili", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # the one place where everything ends
        code = _exit_code(error)
    return code if isinstance(code, int) else 0


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
    import tempfile
    import traceback

    report = "".join(traceback.format_exception(error))
    head = f"akili {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    descriptor, name = tempfile.mkstemp(prefix="akili-crash-", suffix=".log")
    with os.fdopen(descriptor, "w") as file:
        file.write(_clean(head + report))
    render.talk(f"bug: {type(error).__name__}: this should not have happened", "red")
    render.talk(f"a report was written to {name}; it holds no secrets that akili knows of")
    return BUG


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
