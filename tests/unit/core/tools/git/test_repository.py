from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.tools.git.repository import find_repository
from akili_cli.domain.errors import InvalidArgumentsError


def make_git_dir(where: Path, config: str = "[core]\nbare = false\n") -> Path:
    for part in ("objects/info", "refs"):
        (where / part).mkdir(parents=True)
    (where / "HEAD").write_text("ref: refs/heads/main\n")
    (where / "config").write_text(config)
    return where


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    (where / "a" / "b").mkdir(parents=True)
    make_git_dir(where / ".git")
    return where


def test_any_directory_below_finds_the_work_tree(repo: Path) -> None:
    for path in (repo, repo / "a" / "b"):
        found = find_repository(str(path))
        assert (found.top, found.git_dir) == (str(repo), str(repo / ".git"))
        assert found.common_dir == found.git_dir
        assert found.reads == (str(repo),)
        assert not found.filters


def test_a_git_file_leads_to_the_real_directory_and_its_common_one(repo: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    real = repo / ".git" / "worktrees" / "linked"
    real.mkdir(parents=True)
    (real / "HEAD").write_text("ref: refs/heads/x\n")
    (real / "commondir").write_text("../..\n")
    (linked / ".git").write_text(f"gitdir: {real}\n")
    found = find_repository(str(linked))
    assert (found.git_dir, found.common_dir) == (str(real), str(repo / ".git"))
    assert found.reads == (str(linked), str(repo / ".git"))


def test_a_git_symlink_shows_its_target(repo: Path, tmp_path: Path) -> None:
    (repo / ".git").rename(tmp_path / "elsewhere")
    (repo / ".git").symlink_to("../elsewhere")
    assert find_repository(str(repo)).reads == (str(repo), str(tmp_path / "elsewhere"))


def test_borrowed_objects_are_declared_and_theirs_too(repo: Path, tmp_path: Path) -> None:
    for name, target in (("one", "../../two/objects"), ("two", "../../one/objects")):
        (tmp_path / name / "objects" / "info").mkdir(parents=True)
        (tmp_path / name / "objects" / "info" / "alternates").write_text(f"# note\n{target}\n")
    (repo / ".git" / "objects" / "info" / "alternates").write_text(f"{tmp_path}/one/objects\n")
    reads = find_repository(str(repo)).reads
    assert reads == (str(repo), f"{tmp_path}/one/objects", f"{tmp_path}/two/objects")


def test_links_inside_the_git_directory_show_their_targets(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "index").write_text("")
    (repo / ".git" / "index").symlink_to(tmp_path / "index")
    (repo / ".git" / "objects" / "pack").symlink_to(tmp_path / "home")
    assert set(find_repository(str(repo)).reads) == {str(repo), f"{tmp_path}/index", f"{tmp_path}/home"}


def test_keys_that_are_not_known_to_be_harmless_are_silenced(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text('[filter "lfs"]\nclean = x\n')
    (repo / ".git" / "config").write_text(
        f'[core]\nfilemode = true\npager = x\n[include]\npath = {tmp_path}/more\n[branch "m"]\nremote = o\n'
    )
    (repo / ".git" / "config.worktree").write_text("[alias]\nlog = !x\n")
    found = find_repository(str(repo))
    assert set(found.silenced) == {"core.pager", "filter.lfs.clean", "alias.log"}
    assert found.filters
    assert f"{tmp_path}/more" in found.reads


def test_includes_that_run_in_circles_end(repo: Path) -> None:
    (repo / ".git" / "config").write_text("[include]\npath = config\npath = other\n")
    (repo / ".git" / "other").write_text("[include]\npath = ./config\n")
    assert find_repository(str(repo)).silenced == ()


def many_includes(git_dir: Path) -> None:
    for number in range(30):
        (git_dir / f"c{number}").write_text(f"[include]\npath = c{number + 1}\n")
    (git_dir / "config").write_text("[include]\npath = c0\n")


def huge_config(git_dir: Path) -> None:
    (git_dir / "config").write_text("# x\n" * 300_000)


def fifo_head(git_dir: Path) -> None:
    (git_dir / "commondir").write_text("\n")


def latin_config(git_dir: Path) -> None:
    (git_dir / "config").write_bytes(b'[filter "\xff"]\nclean = x\n')


def quoted_alternates(git_dir: Path) -> None:
    (git_dir / "objects" / "info" / "alternates").write_text('"/a\\tb"\n')


def no_refs(git_dir: Path) -> None:
    (git_dir / "refs").rmdir()


@pytest.mark.parametrize("spoil", [many_includes, huge_config, fifo_head, latin_config, quoted_alternates, no_refs])
def test_what_cannot_be_checked_is_refused(spoil: object, repo: Path) -> None:
    assert callable(spoil)
    spoil(repo / ".git")
    with pytest.raises(InvalidArgumentsError):
        find_repository(str(repo))


@pytest.mark.parametrize("text", ["", "gitdir:\n", "gitdir: \n", "gitdir: /nowhere\n", "x", "gitdir: a\0b\n"])
def test_a_git_file_that_leads_nowhere_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / ".git").write_text(text)
    with pytest.raises(InvalidArgumentsError):
        find_repository(str(tmp_path))


def test_a_fifo_as_config_never_waits(repo: Path) -> None:
    (repo / ".git" / "config").unlink()
    os.mkfifo(repo / ".git" / "config")
    assert find_repository(str(repo)).silenced == ()
