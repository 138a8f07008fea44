from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.docker_client import Answer, DockerClient
from akili_cli.domain.errors import SandboxError
from tests.fakes.docker_engine import FakeEngine


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(1, "", "\ndocker: it broke\nRun 'docker run --help'\n"), "it broke"),
        (Answer(None, "", ""), "no answer within 5 s"),
        (Answer(3, "noise", ""), "exit code 3, without a word"),
    ],
    ids=["words", "late", "silent"],
)
def test_a_complaint_is_one_line(answer: Answer, reason: str) -> None:
    assert answer.reason == reason


def test_a_call_gives_code_and_output(tmp_path: Path) -> None:
    client = DockerClient(FakeEngine(tmp_path).env)
    assert client.installed
    assert client.ask("version").code == 0
    assert client.ask("nonsense") == Answer(1, "", "docker: unknown command: docker nonsense\n")


def test_a_client_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    client = DockerClient({"PATH": str(tmp_path)})
    assert not client.installed
    with pytest.raises(SandboxError, match="cannot be started"):
        client.ask("version")


async def test_attaching_to_a_client_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be started"):
        await DockerClient({"PATH": str(tmp_path)}).attach("x", ("run",), b"", 10, 1)
