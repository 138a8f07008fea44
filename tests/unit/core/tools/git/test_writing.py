from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.tools.git.repository import find_repository
from akili_cli.core.tools.git.writing import prepare, unwritable, written_places
from akili_cli.domain.errors import InvalidArgumentsError


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    for name in ("objects", "refs"):
        (where / ".git" / name).mkdir(parents=True)
    (where / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (where / ".git" / "config").write_text("[core]\nbare = false\n")
    return where


def test_the_call_names_editor_identity_and_everything_off(repo: Path) -> None:
    argv, env = prepare(find_repository(str(repo)), "commit", ("-mx",))
    assert argv[-2:] == ("commit", "-mx")
    assert "core.hooksPath=/dev/null" in argv
    assert env["GIT_EDITOR"] == env["GIT_SEQUENCE_EDITOR"] == "true"
    assert env["GIT_AUTHOR_NAME"] == "akili"
    assert env["GIT_COMMITTER_EMAIL"] == "akili@localhost"
    keys = {value: env[name.replace("KEY", "VALUE")] for name, value in env.items() if "CONFIG_KEY_" in name}
    assert (keys["commit.gpgsign"], keys["gc.auto"], keys["core.editor"]) == ("false", "0", "true")
    assert written_places(find_repository(str(repo))) == (str(repo),)


def test_an_identity_of_the_repository_stays(repo: Path) -> None:
    (repo / ".git" / "config").write_text("[user]\nname = Bea\n")
    _, env = prepare(find_repository(str(repo)), "commit", ())
    assert "GIT_AUTHOR_NAME" not in env
    assert env["GIT_AUTHOR_EMAIL"] == "akili@localhost"


def test_a_git_directory_elsewhere_is_written_too(repo: Path, tmp_path: Path) -> None:
    (repo / ".git").rename(tmp_path / "store")
    (repo / ".git").write_text(f"gitdir: {tmp_path}/store\n")
    assert written_places(find_repository(str(repo))) == (str(repo), f"{tmp_path}/store")


def test_checking_out_never_recurses(repo: Path) -> None:
    assert "--no-recurse-submodules" in prepare(find_repository(str(repo)), "checkout", ("x",))[0]


def test_a_rebase_under_way_may_go_on_when_its_list_is_plain(repo: Path) -> None:
    notes = repo / ".git" / "rebase-merge"
    notes.mkdir()
    (notes / "git-rebase-todo").write_text("pick 123 x\n# exec in a comment\n\nfixup -C 4 y\nlabel onto\n")
    (notes / "strategy").write_text("ort\n")
    assert prepare(find_repository(str(repo)), "rebase", ("--continue",))
    (notes / "git-rebase-todo").write_text("pick 123 x\n\texec rm -rf x\n")
    with pytest.raises(InvalidArgumentsError, match="would run"):
        prepare(find_repository(str(repo)), "rebase", ("--continue",))
    assert prepare(find_repository(str(repo)), "rebase", ("--abort",))


def test_a_git_directory_hidden_by_case_counts_as_a_repository_inside(repo: Path) -> None:
    inside = repo / "deep" / "inside" / ".GIT"
    inside.mkdir(parents=True)
    (repo / ".git" / "config").write_text('[filter "x"]\nclean = y\n')
    with pytest.raises(InvalidArgumentsError, match="filters"):
        prepare(find_repository(str(repo)), "add", ())


@pytest.mark.parametrize("name", ["", ".git", ".git/objects"])
def test_a_directory_that_another_uid_may_not_write_is_named(name: str, repo: Path) -> None:
    me = os.geteuid()
    assert unwritable(find_repository(str(repo)), me) is None
    for path in (repo, repo / ".git", repo / ".git" / "objects"):
        path.chmod(0o777)
    assert unwritable(find_repository(str(repo)), me + 7) is None
    (repo / name).chmod(0o755)
    assert unwritable(find_repository(str(repo)), me + 7) == str(repo / name).rstrip("/")
