from __future__ import annotations

import csv

import pytest

from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.docker_command import NAME, Container, new_name, run_command
from akili_cli.core.sandbox.docker_mounts import Mount
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.errors import SandboxError

SETTINGS = SandboxSettings.model_validate({"type": "docker", "docker": {"image": "image:1"}, "max_processes": 5})


def command(*mounts: Mount, argv: tuple[str, ...] = ("true",), **more: object) -> tuple[str, ...]:
    container = Container(new_name(), {"a": "b"}, mounts, "/files", bridged=False)
    return run_command(SETTINGS, container, ExecRequest(argv, 5, **more), 4.2)  # type: ignore[arg-type]


def test_names_are_unique_and_recognisable() -> None:
    first, second = new_name(), new_name()
    assert first != second
    assert NAME.fullmatch(first)


def test_the_program_comes_last_and_cannot_add_options() -> None:
    argv = ("--privileged", "--", "-v", "/:/host")
    assert command(argv=argv)[-10:] == ("--", "image:1", "timeout", "-s", "KILL", "7", *argv)


def test_files_are_copied_before_the_program_starts() -> None:
    args = command(argv=("python3", "x"), files={"x": b""})
    assert args[args.index("image:1") + 1 :][:6] == ("timeout", "-s", "KILL", "7", "sh", "-c")
    assert args[-4:] == ("sh", "/scratch", "python3", "x")


@pytest.mark.parametrize("path", ["/a,b", '/a"b', "/a,readonly", '/","src=/etc', "/a=b", "/ a"])
def test_a_mount_reads_back_as_what_was_meant(path: str) -> None:
    line = next(arg for arg in command(Mount(path)) if arg.startswith("--mount=") and "=/files" not in arg)
    (fields,) = csv.reader([line.removeprefix("--mount=")])
    assert fields == ["type=bind", f"src={path}", f"dst={path}", "readonly"]


def test_a_permitted_tmp_takes_the_place_of_the_empty_one() -> None:
    assert any(arg.startswith("--tmpfs=/tmp:") for arg in command())
    assert not any(arg.startswith("--tmpfs=/tmp:") for arg in command(Mount("/tmp")))


def test_the_lower_process_limit_holds() -> None:
    assert "--pids-limit=5" in command()


@pytest.mark.parametrize("name", ["", "a b", "a=b", "-e", "é", "a\n"])
def test_an_odd_variable_name_is_refused(name: str) -> None:
    with pytest.raises(SandboxError):
        command(env={name: "x"})
