from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize(
    "command",
    [
        "awk '{print $2}' x",
        "awk -F: 'NR>1 {print}' x",
        "sed -n '/a/,/b/p' x",
        "sed s/a/b/g",
        "sed 's|a|b|;s/c/d/2' x",
        "sed 1q",
    ],
)
def test_what_is_plain_is_known(command: str) -> None:
    assert effects_of(command).opaque is None


@pytest.mark.parametrize("command", ["awk -f x", "sed 's/a/b/e'", "sed e", "sed 'w x'", "gawk '@load \"x\"'"])
def test_what_is_not_plain_is_opaque(command: str) -> None:
    assert effects_of(command).opaque
