from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.builtin.code_exec import MAX_CODE_BYTES, CodeArgs, CodeExec
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.permits import permit_for
from tests.fakes.sandbox import PlainSandbox

ALL = ("python3", "sh", "bash")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    chosen = ProcessSandbox(SandboxSettings(), tmp_path / "scratch", SystemClock())
    yield chosen
    await chosen.close()


def tool(allowed: tuple[str, ...] = ALL) -> CodeExec:
    return CodeExec(PlainSandbox(), allowed, 30, "/root")


async def run(sandbox: ProcessSandbox, language: str, code: str, timeout: str | None = None) -> ToolOutput:
    confined, args = CodeExec(sandbox, ALL, 30, "/root"), CodeArgs(language=language, code=code, timeout=timeout)
    return await confined.run(args, permit_for(confined.effects(args), tool="code_exec"))


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python3", "print(6 * 7)"),
        ("python", "import sys; print(len(sys.argv) * 42)"),
        ("sh", "echo $((6 * 7))"),
        ("bash", "x=(1 42); echo ${x[1]}"),
    ],
)
async def test_each_language_runs(sandbox: ProcessSandbox, language: str, code: str) -> None:
    out = await run(sandbox, language, code)
    assert (out.text, out.ok) == ("42", True)
    assert out.metadata["language"] == language.replace("python3", "python").replace("python", "python3")
    assert out.untrusted == "output of code_exec"
    assert "network" in out.metadata["layers"]  # type: ignore[operator]


async def test_a_long_script_travels_as_a_file(sandbox: ProcessSandbox) -> None:
    out = await run(sandbox, "python3", "#" * 900_000 + "\nprint('end')")
    assert out.text == "end"


async def test_the_script_may_write_in_its_directory_and_nowhere_else(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    out = await run(sandbox, "python3", f"open('f', 'w').write('x'); open({str(tmp_path / 'g')!r}, 'w')")
    assert not out.ok
    assert "PermissionError" in out.text or "Read-only" in out.text or "No such file" in out.text
    assert not (tmp_path / "g").exists()


async def test_there_is_no_network(sandbox: ProcessSandbox) -> None:
    out = await run(sandbox, "python3", "import socket; socket.socket()")
    assert not out.ok
    assert "PermissionError" in out.text


async def test_a_failure_and_a_timeout_are_results(sandbox: ProcessSandbox) -> None:
    out = await run(sandbox, "sh", "echo oops >&2; exit 3")
    assert (out.ok, out.text) == (False, "[stderr]\noops\n[exit code 3]")
    out = await run(sandbox, "sh", "sleep 20", "300ms")
    assert out.timed_out
    assert "[stopped after the timeout of 0.3 s]" in out.text


def test_effects_of_python_are_its_interpreter_alone() -> None:
    effects = tool().effects(CodeArgs(language="python3", code="import os; os.remove('/etc/passwd')"))
    assert effects.commands[0].argv == ("python3", "script.py")
    assert (effects.reads, effects.writes, effects.hosts, effects.opaque) == ((), (), (), None)


def test_effects_of_a_shell_script_are_read_from_it() -> None:
    effects = tool().effects(CodeArgs(language="sh", code="cat /etc/motd > out\nrm -rf /srv/x\n"))
    assert "/etc/motd" in effects.reads
    assert effects.deletes == ("/srv/x",)
    assert effects.writes == ()
    assert [command.program for command in effects.commands] == ["cat", "rm"]


@pytest.mark.parametrize(
    "code", ["eval $x", "if then", "$(curl)x y", "echo " + "x" * 100_001], ids=lambda code: code[:12]
)
@pytest.mark.parametrize("language", ["sh", "bash"])
def test_a_shell_script_that_cannot_be_read_is_opaque(language: str, code: str) -> None:
    assert tool().effects(CodeArgs(language=language, code=code)).opaque


def test_a_shell_script_that_needs_the_network_is_refused() -> None:
    with pytest.raises(InvalidArgumentsError, match="no network"):
        tool().effects(CodeArgs(language="sh", code="curl https://example.org/"))


@pytest.mark.parametrize(
    ("allowed", "language", "words"),
    [
        ((), "python3", "allowed: none"),
        (("sh",), "bash", "allowed: sh"),
        (("sh",), "python", "allowed: sh"),
        (ALL, "perl", "not a language"),
        (ALL, "Python3", "not a language"),
        (ALL, "../sh", "not a language"),
        (ALL, "", "not a language"),
    ],
)
def test_a_language_that_is_not_allowed_is_refused(allowed: tuple[str, ...], language: str, words: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=words):
        tool(allowed).effects(CodeArgs(language=language, code="x"))


def test_python_and_python3_are_one_language() -> None:
    for allowed in ("python", "python3"):
        for language in ("python", "python3"):
            assert tool((allowed,)).effects(CodeArgs(language=language, code="1"))


@pytest.mark.parametrize("code", ["a\0b", "é" * (MAX_CODE_BYTES // 2 + 1)], ids=["nul", "long"])
@pytest.mark.parametrize("language", ALL)
def test_code_that_is_no_text_or_too_long_is_refused(language: str, code: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        tool().effects(CodeArgs(language=language, code=code))


@pytest.mark.parametrize("timeout", ["0s", "-1s", "31s", "5", "soon"])
def test_a_timeout_that_makes_no_sense_is_refused(timeout: str) -> None:
    with pytest.raises(InvalidArgumentsError, match="timeout"):
        tool().effects(CodeArgs(language="sh", code="true", timeout=timeout))


@pytest.mark.parametrize(
    "more", [{"code": ""}, {"code": "x" * (MAX_CODE_BYTES + 1)}, {"code": 1}, {"code": "\ud800"}, {"extra": 1}], ids=str
)
def test_arguments_are_checked(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CodeArgs.model_validate({"language": "sh", "code": "x", **more})
