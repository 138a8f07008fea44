from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize("command", ["set -euo pipefail", "export LC_ALL=C", "read -r x", "trap 'ls' EXIT", "cd /etc"])
def test_what_is_plain_is_known(command: str) -> None:
    assert effects_of(command).opaque is None


@pytest.mark.parametrize("command", ["set -a", "export PATH=/x", "eval ls", ". x", "enable -f a b", "pushd /"])
def test_what_is_not_plain_is_opaque(command: str) -> None:
    assert effects_of(command).opaque
