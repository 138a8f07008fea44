from __future__ import annotations

import json
import platform

import pytest

from akili_cli import __version__
from akili_cli.cli.boundary import run_command_line


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["version"], ["--version"]):
        assert run_command_line(arguments) == 0
        assert capsys.readouterr() == (f"akili {__version__}\n", "")


def test_as_json_it_names_python_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["python"]) == (__version__, platform.python_version())
