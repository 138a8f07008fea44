from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from akili_cli.cli import options
from akili_cli.cli.boundary import run_command_line


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Say = Callable[..., Said]


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """A command sets up logging for its whole process, which here is the tests'."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    logging.captureWarnings(False)
    logging.setLogRecordFactory(factory)
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raising


@pytest.fixture
def akili(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Say]:
    """Run one command in this process, in a workspace of the test's own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def say(*arguments: str) -> Said:
        capsys.readouterr()
        code = run_command_line(list(arguments))
        return Said(code, *capsys.readouterr())

    yield say
    options.keep(config=None, color="auto")
