from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.core.tools.builtin.git_read import GitRead, GitReadArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from tests.fakes.permits import permit_for
from tests.fakes.sandbox import PlainSandbox


def git(where: Path, *args: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1"}
    person = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *person, *args], cwd=where, env=env, check=True, capture_output=True)
    return done.stdout.decode()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    (where / "sub").mkdir(parents=True)
    git(where, "init", "-q", "-b", "main")
    (where / "a.txt").write_text("one\n")
    (where / "sub" / "b.txt").write_text("bee\n")
    git(where, "add", ".")
    git(where, "commit", "-qm", "first")
    (where / "a.txt").write_text("two\n")
    git(where, "commit", "-qam", "second")
    git(where, "branch", "feature")
    return where


def tool(tmp_path: Path) -> GitRead:
    return GitRead(PlainSandbox(), home=str(tmp_path / "home"), cwd=str(tmp_path))


async def call(reader: GitRead, repo: Path | str, subcommand: str, *args: str) -> ToolOutput:
    asked = GitReadArgs(subcommand=subcommand, repo_path=str(repo), args=list(args))
    return await reader.run(asked, permit_for(reader.effects(asked), tool="git_read"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["log", "--oneline"], "second"),
        (["log", "-n", "1", "-p", "--follow", "--", "a.txt"], "+two"),
        (["log", "--pretty=format:%h %an%x09%s", "-1"], "Ann\tsecond"),
        (["log", "--graph", "--all", "--stat", "--since=2000-01-01", "--author", "Ann"], "Author: Ann"),
        (["diff", "HEAD~1"], "+two"),
        (["diff", "HEAD~1..HEAD", "--name-only"], "a.txt"),
        (["show", "HEAD", "--stat"], "second"),
        (["show", "HEAD:sub/b.txt"], "bee"),
        (["status", "-sb"], "## main"),
        (["status", "--porcelain=v1", "-uall"], "[no output]"),
        (["branch", "-a", "-vv"], "feature"),
        (["branch", "--show-current"], "main"),
        (["branch", "--contains", "HEAD", "--sort=-committerdate", "fea*"], "feature"),
        (["branch", "--merged", "--format=%(refname:short) %(HEAD)"], "feature"),
    ],
    ids=" ".join,
)
async def test_reading_works(args: list[str], words: str, repo: Path, tmp_path: Path) -> None:
    out = await call(tool(tmp_path), repo, *args)
    assert out.ok, out.text
    assert words in out.text
    assert out.untrusted == f"git {repo}"
    assert out.metadata["subcommand"] == args[0]
    assert out.metadata["exit_code"] == 0


async def test_a_subdirectory_is_where_paths_start(repo: Path, tmp_path: Path) -> None:
    (repo / "sub" / "b.txt").write_text("bzz\n")
    assert "+bzz" in (await call(tool(tmp_path), repo / "sub", "diff", "b.txt")).text
    assert "+bzz" in (await call(tool(tmp_path), "repo/sub", "diff", "--", "../sub/b.txt")).text


def test_effects_name_the_work_tree_and_the_command_as_asked(repo: Path, tmp_path: Path) -> None:
    effects = tool(tmp_path).effects(GitReadArgs(subcommand="log", repo_path=str(repo), args=["-n", "3"]))
    assert effects.reads == (str(repo),)
    assert effects.commands[0].program == "git"
    assert effects.commands[0].argv == ("git", "log", "-n3")
    assert not effects.changes


async def test_a_failing_git_is_a_result(repo: Path, tmp_path: Path) -> None:
    out = await call(tool(tmp_path), repo, "show", "nosuchref")
    assert not out.ok
    assert "nosuchref" in out.text
    assert out.metadata["exit_code"] == 128


async def test_a_linked_work_tree_declares_the_repository_behind_it(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"), "feature")
    reader = tool(tmp_path)
    effects = reader.effects(GitReadArgs(subcommand="log", repo_path=str(tmp_path / "linked")))
    assert effects.reads == (str(tmp_path / "linked"), str(repo / ".git"))
    assert "## feature" in (await call(reader, tmp_path / "linked", "status", "-sb")).text
    assert "second" in (await call(reader, tmp_path / "linked", "log")).text


async def test_a_repository_that_leads_elsewhere_after_the_ruling_is_refused(repo: Path, tmp_path: Path) -> None:
    reader = tool(tmp_path)
    asked = GitReadArgs(subcommand="log", repo_path=str(repo))
    permit = permit_for(reader.effects(asked))
    (repo / ".git").rename(tmp_path / "moved")
    (repo / ".git").symlink_to(tmp_path / "moved")
    with pytest.raises(RefusedError):
        await reader.run(asked, permit)


@pytest.mark.parametrize("verb", ["push", "commit", "remote", "rev-parse", "", "log ", "-c", "LOG"])
def test_other_subcommands_are_refused_with_a_hint(verb: str, repo: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        tool(tmp_path).effects(GitReadArgs(subcommand=verb, repo_path=str(repo)))
    assert "log, diff, status, show, branch" in caught.value.hint


async def test_no_argument_creates_a_branch_or_a_file(repo: Path, tmp_path: Path) -> None:
    before = git(repo, "branch", "-a")
    out = await call(tool(tmp_path), repo, "branch", "newone")
    assert out.ok
    assert git(repo, "branch", "-a") == before


def test_what_is_no_repository_is_invalid(repo: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "home", tmp_path / "none", repo / "a.txt", repo / ".git", repo / ".git" / "refs"):
        with pytest.raises(InvalidArgumentsError):
            tool(tmp_path).effects(GitReadArgs(subcommand="log", repo_path=str(path)))


@pytest.mark.parametrize(
    "arguments",
    [{"subcommand": "log"}, {"repo_path": "x"}, {"subcommand": "log", "repo_path": "x", "args": "-p"}],
)
def test_arguments_outside_the_schema_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GitReadArgs.model_validate(arguments)


async def test_a_clone_shows_its_upstream(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "copy")
    with (tmp_path / "copy" / ".git" / "config").open("a") as file:
        file.write("[pull]\nrebase = true\n[lfs]\nrepositoryformatversion = 0\n[branch]\nsort = -committerdate\n")
    assert "main...origin/main" in (await call(tool(tmp_path), "copy", "status", "-sb")).text
    assert "[origin/main]" in (await call(tool(tmp_path), "copy", "branch", "-vv")).text
    assert "origin/feature" in (await call(tool(tmp_path), "copy", "branch", "-r")).text


async def test_a_submodule_is_read_as_its_own_repository(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "outer")
    git(tmp_path / "outer", "submodule", "add", "-q", str(repo), "module")
    reader = tool(tmp_path)
    module = tmp_path / "outer" / "module"
    reads = reader.effects(GitReadArgs(subcommand="log", repo_path=str(module))).reads
    assert reads == (str(module), str(tmp_path / "outer" / ".git" / "modules" / "module"))
    assert "second" in (await call(reader, module, "log")).text
    assert "## main" in (await call(reader, module, "status", "-sb")).text


async def test_a_repository_without_commits_answers(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "fresh")
    assert "No commits yet" in (await call(tool(tmp_path), "fresh", "status")).text
    assert not (await call(tool(tmp_path), "fresh", "log")).ok
