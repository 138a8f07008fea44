from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


def test_a_pipeline_declares_what_it_reads_runs_and_writes() -> None:
    effects = effects_of("cat /etc/hosts | sort > out")
    assert [command.program for command in effects.commands] == ["cat", "sort"]
    assert effects.reads == ("/etc/hosts",)
    assert effects.writes == ("/srv/app/out",)
    assert not effects.reversible
    assert effects.opaque is None


def test_a_cd_moves_what_follows_and_only_inside_its_subshell() -> None:
    assert effects_of("(cd /d && rm x); rm y").deletes == ("/d/x", "/srv/app/y")


@pytest.mark.parametrize(
    "command", ["for i in 1 2; do rm y; cd ..; done", "f() { rm y; }; cd /; f", "trap 'rm y' 0; cd /"]
)
def test_a_cd_out_of_order_makes_relative_changes_opaque(command: str) -> None:
    assert effects_of(command).opaque


@pytest.mark.parametrize("command", ["ls\0", "\ud800"], ids=["nul", "half a character"])
def test_text_no_shell_can_be_given_is_invalid(command: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        effects_of(command)


def test_an_unreadable_line_still_names_its_commands() -> None:
    effects = effects_of("ls; rm x; $((rm y))")
    assert effects.opaque
    assert {"ls", "rm"} <= {command.program for command in effects.commands}
