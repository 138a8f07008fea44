from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from akili_cli.config.paths import home_of, open_workspace, protected_roots
from akili_cli.domain.errors import WorkspaceError

OTHER_USER = 54_321


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_workspace_is_made_private_in_the_home(tmp_path: Path) -> None:
    workspace = open_workspace({"HOME": str(tmp_path)})
    assert workspace.root == tmp_path / ".akili"
    for directory in (
        workspace.root,
        workspace.audit_dir,
        workspace.runbooks_dir,
        workspace.logs_dir,
    ):
        assert mode_of(directory) == 0o700
    assert {path.name for path in workspace.root.iterdir()} == {"audit", "runbooks", "sandbox", "logs", "undo"}
    assert {workspace.db.parent, workspace.audit_key.parent, workspace.history_file.parent} == {workspace.root}
    assert [path.name for path in workspace.config_files] == ["config.yaml", "config.yml", "config.json"]


def test_opening_it_again_changes_nothing(tmp_path: Path) -> None:
    first = open_workspace({"HOME": str(tmp_path)})
    (first.root / "akili.db").write_text("x")
    assert open_workspace({"HOME": str(tmp_path)}) == first


def test_the_umask_does_not_open_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert mode_of(open_workspace({"HOME": str(tmp_path)}).logs_dir) == 0o700
    finally:
        os.umask(before)


@pytest.mark.parametrize("text", ["{tmp}/elsewhere/deep", "~/elsewhere"], ids=["absolute", "tilde"])
def test_the_variable_names_another_place(text: str, tmp_path: Path) -> None:
    root = open_workspace({"HOME": str(tmp_path), "AKILI_WORKSPACE": text.format(tmp=tmp_path)}).root
    assert root.is_relative_to(tmp_path / "elsewhere")
    assert mode_of(root) == 0o700


def test_a_relative_one_is_taken_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_workspace({"AKILI_WORKSPACE": "here"}).root == tmp_path / "here"


def test_a_link_of_ones_own_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / ".akili").symlink_to(tmp_path / "disk")
    assert open_workspace({"HOME": str(tmp_path)}).root == tmp_path / "disk"


def test_an_old_workspace_that_others_may_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".akili").mkdir()
    (tmp_path / ".akili").chmod(0o755)
    assert mode_of(open_workspace({"HOME": str(tmp_path)}).root) == 0o700


def test_a_directory_with_other_things_in_it_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "index.html").write_text("x")
    assert mode_of(open_workspace({"HOME": str(tmp_path), "AKILI_WORKSPACE": str(shared)}).root) == 0o755


@pytest.mark.parametrize("home", ["", "relative/home"])
def test_without_a_home_it_says_so(home: str) -> None:
    with pytest.raises(WorkspaceError, match="HOME") as caught:
        open_workspace({"HOME": home} if home else {})
    assert "AKILI_WORKSPACE" in caught.value.hint
    with pytest.raises(WorkspaceError, match="HOME"):
        home_of({"HOME": home})


@pytest.mark.parametrize(
    "place",
    ["{tmp}/file/below", "{tmp}/file", "/proc/akili", "/sys/akili", "/dev/null/x", "{tmp}/" + "x" * 300, "{tmp}/loop"],
    ids=["below-a-file", "a-file", "proc", "sys", "below-a-device", "too-long", "link-loop"],
)
def test_a_place_that_cannot_be_used_is_refused_with_a_hint(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(WorkspaceError) as caught:
        open_workspace({"HOME": str(tmp_path), "AKILI_WORKSPACE": place.format(tmp=tmp_path)})
    assert caught.value.hint
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("place", ["/", "{tmp}", "{tmp}/.", "~", "{tmp}/x/.."])
def test_the_root_and_the_home_itself_are_no_workspace(place: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="more than akili's files"):
        open_workspace({"HOME": str(tmp_path), "AKILI_WORKSPACE": place.format(tmp=tmp_path)})


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
@pytest.mark.parametrize("name", [".", "audit"])
def test_a_directory_that_others_may_write_is_refused(mode: int, name: str, tmp_path: Path) -> None:
    open_workspace({"HOME": str(tmp_path)})
    (tmp_path / ".akili" / name).chmod(mode)
    with pytest.raises(WorkspaceError, match="others may write") as caught:
        open_workspace({"HOME": str(tmp_path)})
    assert caught.value.hint.startswith("chmod 700")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", [".", "logs"])
def test_a_directory_of_another_user_is_refused(name: str, tmp_path: Path) -> None:
    open_workspace({"HOME": str(tmp_path)})
    os.chown(tmp_path / ".akili" / name, OTHER_USER, OTHER_USER)
    with pytest.raises(WorkspaceError, match="another user"):
        open_workspace({"HOME": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give links away")
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / ".akili").symlink_to(tmp_path / "disk")
    os.chown(tmp_path / ".akili", OTHER_USER, OTHER_USER, follow_symlinks=False)
    with pytest.raises(WorkspaceError, match="link that another user made"):
        open_workspace({"HOME": str(tmp_path)})


def test_a_file_where_a_directory_belongs_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".akili").mkdir(mode=0o700)
    (tmp_path / ".akili" / "audit").write_text("x")
    with pytest.raises(WorkspaceError):
        open_workspace({"HOME": str(tmp_path)})


def test_credentials_sockets_and_akili_itself_are_protected(tmp_path: Path) -> None:
    workspace = open_workspace({"HOME": str(tmp_path)})
    roots = protected_roots(workspace, tmp_path, (tmp_path / "other.yaml",))
    for expected in (
        workspace.root,
        tmp_path / "other.yaml",
        tmp_path / ".ssh",
        tmp_path / ".aws",
        tmp_path / ".kube",
        tmp_path / ".netrc",
        "/etc/shadow",
        "/etc/sudoers.d",
        "/root/.ssh",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/containerd",
        "/dev/mem",
    ):
        assert str(expected) in roots
    assert len(roots) == len(set(roots))
    assert all(root.startswith("/") and ".." not in root for root in roots)
    assert "/" not in roots


def test_protected_links_are_protected_where_they_lead(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / ".ssh").symlink_to(tmp_path / "real")
    roots = protected_roots(open_workspace({"HOME": str(tmp_path)}), tmp_path)
    assert {str(tmp_path / ".ssh"), str(tmp_path / "real")} <= set(roots)
