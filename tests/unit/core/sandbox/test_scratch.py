from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.sandbox.scratch import Scratch, first_closed, sweep_stale
from akili_cli.domain.errors import SandboxError


def test_a_scratch_directory_is_private_and_removed(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "root", None)
    assert scratch.path.name.startswith("akili-sandbox-")
    assert scratch.path.stat().st_mode & 0o777 == 0o700
    scratch.put({"a": b"1", "d/e/b": b"2"})
    assert (scratch.path / "d/e/b").read_bytes() == b"2"
    scratch.remove()
    assert list((tmp_path / "root").iterdir()) == []


def test_a_root_that_cannot_hold_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError):
        Scratch(tmp_path / "file", None)


@pytest.mark.parametrize("name", ["/a", "..", "a/../../b", "", ".", "\ud800", "x" * 300])
def test_a_name_outside_or_unusable_is_refused(tmp_path: Path, name: str) -> None:
    scratch = Scratch(tmp_path, None)
    with pytest.raises(SandboxError):
        scratch.put({name: b""})
    scratch.remove()


def test_a_directory_in_use_is_not_swept_and_a_stale_one_is(tmp_path: Path) -> None:
    used = Scratch(tmp_path, None)
    stale = tmp_path / "akili-sandbox-stale"
    (stale / "deep" / "er").mkdir(parents=True)
    (stale / "deep" / "er" / "link").symlink_to(used.path)
    (tmp_path / "other").mkdir()
    assert sweep_stale(tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} >= {used.path.name, "other"}
    assert not stale.exists()
    used.remove()


def test_a_symlink_is_not_swept(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept").write_text("")
    (tmp_path / "akili-sandbox-link").symlink_to(target)
    assert sweep_stale(tmp_path) == 0
    assert (target / "kept").exists()


def test_the_topmost_closed_directory_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "open" / "closed" / "closed too" / "scratch"
    folder.mkdir(parents=True)
    os.chmod(tmp_path / "open" / "closed", 0o700)
    os.chmod(tmp_path / "open" / "closed" / "closed too", 0o700)
    outer = [parent for parent in tmp_path.parents if not parent.stat().st_mode & 1]
    outer += [] if tmp_path.stat().st_mode & 1 else [tmp_path]
    expected = min(outer, key=lambda path: len(path.parts)) if outer else tmp_path / "open" / "closed"
    assert first_closed(folder) == str(expected)
    assert first_closed(Path("/usr/bin")) is None
