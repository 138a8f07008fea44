from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize("command", ["find . -name x", "find / -maxdepth 1 -type f", "find . -exec ls {} +"])
def test_what_is_plain_is_known(command: str) -> None:
    assert effects_of(command).opaque is None


@pytest.mark.parametrize("command", ["find . -exec {} \\;", "find $X -delete", "find . -exec sh -c 'rm {}' \\;"])
def test_what_is_not_plain_is_opaque(command: str) -> None:
    assert effects_of(command).opaque
