from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from akili_cli.core.undo.objects import ObjectStore
from akili_cli.domain.errors import ToolFailedError, WorkspaceError


def test_a_content_is_kept_once_compressed_and_private(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    data = b"line\n" * 1000
    digest, size = store.put(data)
    assert store.put(data) == (digest, size)
    assert digest == hashlib.sha256(data).hexdigest()
    assert size < 200
    assert store.get(digest) == data
    path = store.path_of(digest)
    assert path.parent.name + path.name == digest
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]
    store.drop(digest)
    store.drop(digest)
    with pytest.raises(ToolFailedError, match="cannot be read"):
        store.get(digest)


@pytest.mark.parametrize("damage", ["other", "garbage", "cut", "link"])
def test_a_damaged_content_is_not_given_and_is_mended_by_the_next_put(damage: str, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    digest, _ = store.put(b"mine")
    path = store.path_of(digest)
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(b"x")
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
    else:
        other = store.path_of(store.put(b"theirs")[0]).read_bytes()
        path.write_bytes({"other": other, "garbage": b"x" * 50, "cut": path.read_bytes()[:-3]}[damage])
    with pytest.raises(ToolFailedError):
        store.get(digest)
    store.put(b"mine")
    assert store.get(digest) == b"mine"
    assert not path.is_symlink()


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_no_digest_names_no_file(digest: str, tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError):
        ObjectStore(tmp_path).get(digest)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    (tmp_path / "objects").write_text("a file")
    with pytest.raises((WorkspaceError, OSError)):
        store.put(b"x")
