from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize(
    "command", ["git status", "git log --oneline -5", "git -C /tmp diff", "git commit -m x", "git clone https://h/x"]
)
def test_what_is_plain_is_known(command: str) -> None:
    assert effects_of(command).opaque is None


@pytest.mark.parametrize("command", ["git foo", "git -c core.pager=x log", "git push", "git bisect run x"])
def test_what_is_not_plain_is_opaque(command: str) -> None:
    assert effects_of(command).opaque
