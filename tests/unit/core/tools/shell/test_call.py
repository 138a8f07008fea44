from __future__ import annotations

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


def test_a_call_behind_wrappers_names_them_outermost_first() -> None:
    inner = effects_of("sudo env nice rm x").commands[-1]
    assert (inner.program, inner.wrappers) == ("rm", ("sudo", "env", "nice"))
