from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.sandbox.foreign import Foreign, Stage, foreign_changes
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError

UID = os.geteuid() + 7  # owns nothing here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "etc"
    (top / "sub").mkdir(parents=True)
    top.chmod(0o755)
    for name in ("file", "sub/deep"):
        (top / name).write_text("")
    return top


def test_nothing_to_change_needs_nothing(folder: Path) -> None:
    assert foreign_changes(Effects(reads=(str(folder),)), UID) == Foreign()
    assert not Foreign()


def test_a_directory_is_mapped_and_what_lies_in_it_needs_no_more(folder: Path) -> None:
    found = foreign_changes(Effects(writes=(str(folder), f"{folder}/file"), deletes=(f"{folder}/sub",)), UID)
    assert found == Foreign(mapped=(str(folder),))


def test_single_files_are_staged_in_their_directory(folder: Path) -> None:
    effects = Effects(
        writes=(f"{folder}/file", f"{folder}/new/and/deep", f"{folder}/sub/deep"), deletes=(f"{folder}/file",)
    )
    found = foreign_changes(effects, UID)
    assert found.stages == (
        Stage(str(folder), ("file", "new/and/deep"), ("file",), ("file",)),
        Stage(f"{folder}/sub", ("deep",), (), ("deep",)),
    )
    assert f"{folder}/new/and/deep" in found.names


@pytest.mark.parametrize("effects", ["writes", "deletes"])
def test_what_the_uid_may_do_anyway_is_left_to_it(folder: Path, effects: str) -> None:
    folder.chmod(0o777)
    (folder / "file").chmod(0o666)
    assert not foreign_changes(Effects(**{effects: (f"{folder}/file",)}), UID)
    assert not foreign_changes(Effects(writes=(f"{folder}/new", str(folder))), UID)
    assert not foreign_changes(Effects(writes=(f"{folder}/file",)), os.geteuid())


@pytest.mark.parametrize("path", ["/dev/null", "/proc/sys/kernel/x", "/sys/power/state", "/dev/new"])
def test_the_kernels_own_files_are_no_ones_to_copy(path: str) -> None:
    assert not foreign_changes(Effects(writes=(path,)), UID)


def test_a_directory_that_only_its_owner_can_delete_is_refused(folder: Path) -> None:
    with pytest.raises(SandboxError, match="needs the rights of who owns"):
        foreign_changes(Effects(deletes=(f"{folder}/sub",)), UID)


def test_the_root_of_everything_is_refused() -> None:
    with pytest.raises(SandboxError, match="root itself"):
        foreign_changes(Effects(writes=("/akili-no-such-file",)), UID)
