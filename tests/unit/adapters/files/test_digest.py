from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.files import digest
from akili_cli.adapters.files.digest import file_digest


def test_a_file_has_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    first = file_digest(str(tmp_path / "a"))
    assert first.startswith("sha256 ")
    (tmp_path / "a").write_text("y")
    assert file_digest(str(tmp_path / "a")) != first


def test_what_is_no_small_file_is_told_without_blocking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "big").write_text("12345")
    monkeypatch.setattr(digest, "MAX_BYTES", 4)
    assert file_digest(str(tmp_path / "none")) == "absent"
    assert file_digest(str(tmp_path)) == "directory"
    assert file_digest(str(tmp_path / "pipe")) == "special"
    assert file_digest(str(tmp_path / "link")).startswith("unreadable")
    assert file_digest(str(tmp_path / "big")).startswith("large 5 ")
