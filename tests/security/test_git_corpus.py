"""Each line of ``corpora/git.txt``: a git command line and whether ``git_read`` passes it on."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_read import GitRead, GitReadArgs
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.git_corpora import lines_of
from tests.fakes.permits import permit_for
from tests.fakes.repositories import make_repository
from tests.fakes.sandbox import PlainSandbox

ALLOWED = lines_of("git.txt", "allowed")
REFUSED = lines_of("git.txt", "refused")
UNDERSTOOD = (0, 128)  # 128: a revision that this repository lacks; 129 would be an unknown option


def asked(line: str, repo: Path) -> GitReadArgs:
    subcommand, *args = shlex.split(line)
    return GitReadArgs(subcommand=subcommand, repo_path=str(repo), args=args)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("corpus") / "repo")


def state(repo: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in repo.parent.rglob("*") if path.is_file()}


@pytest.mark.parametrize("line", ALLOWED)
async def test_what_is_allowed_runs_and_changes_nothing(line: str, repo: Path) -> None:
    before = state(repo)
    reader = GitRead(PlainSandbox(), home="/", cwd="/")
    args = asked(line, repo)
    out = await reader.run(args, permit_for(reader.effects(args)))
    assert out.metadata["exit_code"] in UNDERSTOOD, out.text
    assert "usage:" not in out.text
    assert state(repo) == before


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_is_never_passed_on(line: str, repo: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        GitRead(PlainSandbox(), home="/", cwd="/").effects(asked(line, repo))


def test_the_corpus_is_large_enough() -> None:
    assert len(ALLOWED) >= 40
    assert len(REFUSED) >= 100
