from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.builtin.sandbox_probe import SandboxProbe, SandboxProbeArgs
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.permits import permit_for


@pytest.fixture
def probe(tmp_path: Path) -> SandboxProbe:
    return SandboxProbe(ProcessSandbox(SandboxSettings(), tmp_path / "scratch", SystemClock()), 30, str(tmp_path))


def test_grants_join_what_the_command_shows(probe: SandboxProbe, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hosts")
    args = SandboxProbeArgs(
        argv=("cat", "/etc/hostname"),
        read=(f"{tmp_path}/link",),
        write=(f"{tmp_path}/new",),
        net=("EXAMPLE.org.:443", "[::1]:80"),
    )
    effects = probe.effects(args)
    assert effects.reads == ("/etc/hostname", "/etc/hosts")
    assert effects.writes == (f"{tmp_path}/new",)
    assert effects.hosts == ("example.org:443", "[::1]:80")
    assert not effects.reversible
    assert [command.program for command in effects.commands] == ["cat"]


@pytest.mark.parametrize(
    "more",
    [
        {"read": ("relative",)},
        {"write": ("/a\0b",)},
        {"net": ("example.org",)},
        {"net": ("example.org:0",)},
        {"net": ("bad host:80",)},
        {"timeout": "2h"},
        {"argv": ("x" * 200_000,)},
    ],
    ids=repr,
)
def test_grants_and_commands_that_cannot_be_are_refused(probe: SandboxProbe, more: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidArgumentsError):
        probe.effects(SandboxProbeArgs.model_validate({"argv": ("true",), **more}))


async def test_both_streams_exit_code_and_layers_come_back(probe: SandboxProbe) -> None:
    args = SandboxProbeArgs(argv=("sh", "-c", "echo out; echo err >&2; exit 3"))
    output = await probe.run(args, permit_for(Effects()))
    assert (output.text, output.ok) == ("out\n", False)
    assert output.metadata["exit_code"] == 3
    assert output.metadata["stderr"] == "err\n"
    assert "files" in output.metadata["layers"]  # type: ignore[operator]
