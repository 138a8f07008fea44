"""Each line of ``corpora/git_write.txt``: a git command line and whether ``git_write`` passes it on."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_write import GitWrite, GitWriteArgs
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.images import NoRepositoryImages
from tests.fakes.git_corpora import lines_of
from tests.fakes.permits import permit_for
from tests.fakes.repositories import make_repository
from tests.fakes.sandbox import PlainSandbox

ALLOWED = lines_of("git_write.txt", "allowed")
REFUSED = lines_of("git_write.txt", "refused")
UNKNOWN_OPTION = 129


def asked(line: str, repo: Path) -> GitWriteArgs:
    subcommand, *args = shlex.split(line)
    return GitWriteArgs(subcommand=subcommand, repo_path=str(repo), args=args)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


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
