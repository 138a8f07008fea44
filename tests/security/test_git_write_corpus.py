"""Each line of ``corpora/git_write.txt``: a git command line and whether ``git_write`` passes it on."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_write import GitWrite, GitWriteArgs
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.images import NoRepositoryImages
from tests.fakes.permits import permit_for
from tests.fakes.sandbox import PlainSandbox

CASES = [
    line.rsplit("\t", 1)
    for line in (Path(__file__).parent / "corpora" / "git_write.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
ALLOWED = [line for line, verdict in CASES if verdict == "allowed"]
REFUSED = [line for line, verdict in CASES if verdict == "refused"]
UNKNOWN_OPTION = 129


def asked(line: str, repo: Path) -> GitWriteArgs:
    subcommand, *args = shlex.split(line)
    return GitWriteArgs(subcommand=subcommand, repo_path=str(repo), args=args)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    (where / "sub").mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*args: str) -> None:
        person = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", *person, *args], cwd=where, env=env, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for text in ("first", "second"):
        (where / "a.txt").write_text(f"{text}\n")
        (where / "sub" / "b.txt").write_text(f"{text}\n")
        git("add", ".")
        git("commit", "-qm", text)
    git("branch", "feature")
    return where


@pytest.mark.parametrize("line", ALLOWED)
async def test_what_is_allowed_is_understood_by_git(line: str, repo: Path) -> None:
    writer = GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/")
    args = asked(line, repo)
    out = await writer.run(args, permit_for(writer.effects(args)))
    assert out.metadata["exit_code"] != UNKNOWN_OPTION, out.text
    assert "usage: git" not in out.text


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_is_never_passed_on(line: str, repo: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/").effects(asked(line, repo))


def test_the_corpus_is_large_enough() -> None:
    assert len(ALLOWED) >= 50
    assert len(REFUSED) >= 100
