from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from akili_cli.adapters.telemetry.logs import configure_logging, correlation
from akili_cli.adapters.telemetry.redact import Redactor

log = logging.getLogger("akili_cli.test")


@pytest.fixture(autouse=True)
def _restored_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    factory = logging.getLogRecordFactory()
    yield
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raising
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)


def redactor() -> Redactor:
    made = Redactor()
    made.register("s3cr3t-value", "db")
    return made


def test_json_lines_carry_action_run_and_correlation(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=True, redactor=redactor())
    mark = correlation.set("c0ffee")
    log.info("did it with %s", "s3cr3t-value", extra={"action": "call", "run_id": "r1", "password": "hunter2"})
    correlation.reset(mark)
    said = json.loads(capsys.readouterr().err)
    assert said["message"] == "did it with [redacted:db]"
    assert (said["action"], said["run_id"], said["correlation_id"]) == ("call", "r1", "c0ffee")
    assert said["password"] == "[redacted:password]"
    assert (said["level"], said["logger"]) == ("info", "akili_cli.test")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_exceptions_are_redacted(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=as_json, redactor=redactor())
    try:
        int("bad s3cr3t-value")
    except ValueError:
        log.exception("failed")
    shown = capsys.readouterr().err
    assert "'bad [redacted:db]'" in shown
    assert "s3cr3t-value" not in shown


def test_text_lines_cannot_be_faked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False, redactor=redactor())
    log.info("name %s", "x\n2026-01-01 error fake: \x1b[31m", extra={"action": "a"})
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "action=a" in shown


def test_wrong_arguments_do_not_raise(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False, redactor=redactor())
    log.info("%d items", "three")
    assert "arguments do not fit" in capsys.readouterr().err


def test_lower_levels_and_third_parties_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False, redactor=redactor())
    log.debug("no")
    logging.getLogger("httpx").info("no")
    assert capsys.readouterr().err == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="'loud' is not a log level"):
        configure_logging("loud", json=False, redactor=redactor())


def test_a_handler_that_a_library_brings_along_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", json=False, redactor=redactor())
    theirs = logging.getLogger("some.library")
    theirs.propagate = False
    theirs.addHandler(logging.StreamHandler(sys.stderr))
    try:
        theirs.warning("key %s and %r", "s3cr3t-value", {"a": "s3cr3t-value"})
        try:
            int("bad s3cr3t-value")
        except ValueError:
            theirs.exception("100% failed")
    finally:
        theirs.handlers.clear()
    shown = capsys.readouterr().err
    assert "key [redacted:db] and {'a': '[redacted:db]'}" in shown
    assert "100% failed" in shown
    assert "'bad [redacted:db]'" in shown
    assert "s3cr3t-value" not in shown


def test_a_warning_of_python_is_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", json=False, redactor=redactor())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way with s3cr3t-value", UserWarning, stacklevel=1)
    assert "old way with [redacted:db]" in capsys.readouterr().err
