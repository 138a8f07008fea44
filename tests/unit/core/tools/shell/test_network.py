from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize(
    "command", ["curl -fsS https://h/x", "ping -c 1 h", "ssh h uptime", "psql -c 'select 1'", "systemctl status x"]
)
def test_what_is_plain_is_known(command: str) -> None:
    assert effects_of(command).opaque is None


@pytest.mark.parametrize(
    "command", ["curl $X", "ssh -oProxyCommand=x h", "nc -l 80", "kubectl get pods", "psql -f x", "docker exec a b"]
)
def test_what_is_not_plain_is_opaque(command: str) -> None:
    assert effects_of(command).opaque
