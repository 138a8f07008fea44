from __future__ import annotations

import importlib
import inspect

import pytest
import typer

from akili_cli.cli.boundary import run_command_line
from akili_cli.cli.main import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_table_is_the_commands_own_help(name: str) -> None:
    module, line = COMMANDS[name]
    command = typer.main.get_command(importlib.import_module(module).app)
    assert inspect.cleandoc(command.help or "").split("\n")[0] == line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_works(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([name, "--help"]) == 0
    assert COMMANDS[name][1].rstrip(".") in " ".join(capsys.readouterr().out.split())


def test_the_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["-h"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, (_, line) in COMMANDS.items():
        assert f"{name} {line}" in shown


def test_the_group_gives_the_table_and_nothing_else() -> None:
    group = typer.main.get_command(app)
    assert group.list_commands(None) == list(COMMANDS)  # type: ignore[attr-defined]
    assert group.get_command(None, "nosuch") is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_completion_is_offered_at_the_root_only(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
    assert not any("--install-completion" in parameter.opts for parameter in command.params)
