from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import pytest

from akili_cli.cli.boundary import Terminated, _exit_code, run, run_command_line
from akili_cli.cli.render import ReaderGoneError
from akili_cli.domain import errors
from akili_cli.domain.errors import AkiliError, UnavailableError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 64),
        (errors.PolicyDeniedError("x"), 2),
        (errors.ApprovalRequiredError("x"), 2),
        (errors.BudgetExceededError("x"), 2),
        (UnavailableError("x"), 3),
        (errors.ConfigError("x"), 1),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (ReaderGoneError(), 141),
        (SystemExit(5), 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert _exit_code(error) == code


def test_an_error_is_said_in_words_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    _exit_code(AkiliError("no\x1b[31m room", hint="make some"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "fatal: no\\x1b[31m room\nhint: make some\n")


@pytest.mark.parametrize("usable", [True, False], ids=["workspace", "none"])
def test_a_bug_writes_a_report_without_secrets_and_no_traceback(
    usable: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if not usable:
        monkeypatch.setenv("AKILI_WORKSPACE", "/proc/nosuch")
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert _exit_code(ZeroDivisionError(f"\udc80 {secret}")) == 70
    directory = tmp_path / "home" / ".akili" / "logs" if usable else temporary
    (report,) = directory.glob("akili-crash-*.log")
    assert "ZeroDivisionError" in report.read_text()
    assert secret not in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert str(report) in err
    assert len([*temporary.iterdir()]) == (not usable)


def test_a_bug_is_told_even_where_no_report_can_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    monkeypatch.setenv("AKILI_WORKSPACE", "/proc/nosuch")
    assert _exit_code(ZeroDivisionError()) == 70
    assert "no report could be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["version"], 0), (["--nosuch"], 64), (["nosuch"], 64), (["query"], 64), (["--help"], 0)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_line_gives_a_number(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(arguments) == code


def test_a_handler_for_sigterm_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_command_line(["version"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    run(asyncio.sleep(0))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_coroutine_gives_its_value() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert run(work()) == 7


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=["INT", "TERM"]
)
def test_a_signal_lets_every_clean_up_run_first(number: signal.Signals, error: type[BaseException]) -> None:
    cleaned: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("yes")

    with pytest.raises(error):
        run(work())
    assert cleaned == ["yes"]


def test_a_cancellation_of_the_works_own_is_no_signal() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(work())
