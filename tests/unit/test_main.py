from __future__ import annotations

import sys

import pytest

from akili_cli import __version__
from akili_cli.__main__ import main


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_printed_before_anything_else(
    flag: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["akili", flag])
    assert main() == 0
    assert capsys.readouterr().out == f"akili {__version__}\n"


def test_everything_else_goes_to_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["akili", "--nosuch"])
    assert main() == 64
