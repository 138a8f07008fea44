from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from akili_cli.core.tools.git.config import Setting, is_kept, parse
from akili_cli.domain.errors import InvalidArgumentsError


def as_git_reads(text: str, where: Path) -> list[Setting] | None:
    """What git itself makes of a config; None when it refuses it."""
    file = where / "config"
    file.write_bytes(text.encode())
    env = {"PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "config", "--null", "--list", "--no-includes", "--file", str(file)]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    if done.returncode:
        return None
    pairs = [entry.partition("\n") for entry in done.stdout.decode().split("\0")[:-1]]
    return [Setting(key, value if newline else None) for key, newline, value in pairs]


def spaced(settings: list[Setting]) -> list[Setting]:
    """Git's versions differ in whether a bare tab or CR inside a value becomes a space."""
    return [Setting(one.key, one.value and one.value.replace("\t", " ").replace("\r", " ")) for one in settings]


def as_we_read(text: str) -> list[Setting] | None:
    try:
        return parse(text)
    except InvalidArgumentsError:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[core]\n\tbare = false\n",
        "[a] b = c [d] e = f\n",
        "[a]b=c\n[a]b",
        '[filter "X y"]\nClean = "a b" ; comment\n',
        '[a "q\\"u\\\\o"]\nk = "v\\"\\\\\\t\\n" tail # no\n',
        "[a]\nk = one \\\n  two\\\n",
        "[a]\nk = \\\n\\\n",
        "\ufeff[a]\r\nk = v\r\n",
        "[A.B]\nK-2 =\n",
        '[a]\nk = "" x ""  y\n',
        "# c\n; d\n[a] # e\nk\n",
        '[a "b"] k = 1\n[a "b"]k=2',
        "[a]\nk = v\rw\n",
    ],
)
def test_we_read_a_config_as_git_does(text: str, tmp_path: Path) -> None:
    expected = as_git_reads(text, tmp_path)
    assert expected is not None
    assert spaced(parse(text)) == spaced(expected)


@pytest.mark.parametrize(
    "text",
    ["[a", '[a "b', '[a "b" ]\n', "[a\n]", "[a!]\n", "[a]\n1 = 2\n", "[a]\nk k\n", '[a]\nk = "x\n', "[a]\nk=\\z\n"],
)
def test_what_git_refuses_is_refused(text: str, tmp_path: Path) -> None:
    assert as_git_reads(text, tmp_path) is None
    with pytest.raises(InvalidArgumentsError, match="near line"):
        parse(text)


def test_random_configs_are_never_read_with_fewer_keys_than_git_sees(tmp_path: Path) -> None:
    pieces = [*'[]"\\\n\n =#; \tab.-', "[a]\n", '[f "x"]\n', "k = v\n", "\r\n", "\\\n", '\\"', "clean=e"]
    dice = random.Random(20260217)
    accepted = 0
    for _ in range(250):
        text = "[a]\n" + "".join(dice.choice(pieces) for _ in range(dice.randint(1, 14)))
        ours = as_we_read(text)
        if ours is None:
            continue
        theirs = as_git_reads(text, tmp_path)
        if theirs is not None:
            accepted += 1
            assert spaced(ours) == spaced(theirs), repr(text)
    assert accepted > 20


@pytest.mark.parametrize(
    "key",
    ["core.filemode", "branch.a.b.merge", "remote.origin.fetch", "diff.x.y.xfuncname", "user.name", "log.date"],
)
def test_keys_that_run_nothing_are_kept(key: str) -> None:
    assert is_kept(key)


@pytest.mark.parametrize(
    "key",
    [
        "core.fsmonitor",
        "core.sshcommand",
        "core.worktree",
        "core.unknownfuture",
        "filter.x.clean",
        "diff.external",
        "diff.x.textconv",
        "diff.x.command",
        "gpg.program",
        "gpg.ssh.program",
        "log.showsignature",
        "log.diffmerges",
        "remote.origin.url",
        "alias.log",
        "pretty.x",
        "hook.x.command",
        "branch.remote.x",
        "corexfilemode",
        "filter.core.filemode",
        "filter.user.name",
    ],
)
def test_everything_else_is_not(key: str) -> None:
    assert not is_kept(key)
