from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.secrets.base import Reference
from akili_cli.adapters.secrets.providers.file import FileSecrets
from akili_cli.domain.errors import ConfigError, NotFoundError, UsageError


def private(path: Path, text: bytes = b"hunter22\n", mode: int = 0o600) -> Reference:
    path.write_bytes(text)
    path.chmod(mode)
    return Reference("file", str(path))


def test_a_private_file_gives_its_text(tmp_path: Path) -> None:
    assert FileSecrets(tmp_path).value(private(tmp_path / "key")) == "hunter22"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o622, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others may read") as caught:
        FileSecrets(tmp_path).value(private(tmp_path / "key", mode=mode))
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\xfe", b"a\0b", b"x" * 70_000])
def test_a_file_without_usable_text_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ConfigError):
        FileSecrets(tmp_path).value(private(tmp_path / "key", text))


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "none", Path("relative"), Path("/tmp/../etc/passwd")):
        with pytest.raises(ConfigError):
            FileSecrets(tmp_path).value(Reference("file", str(place)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    reference = private(tmp_path / "key")
    os.chown(tmp_path / "key", 12345, -1)
    with pytest.raises(ConfigError, match="another user"):
        FileSecrets(tmp_path).value(reference)


def test_a_secret_is_kept_listed_replaced_and_forgotten(tmp_path: Path) -> None:
    store = FileSecrets(tmp_path / "secrets")
    assert store.listed() == ()
    reference = store.put("db", "one")
    assert store.put("db", "two") == reference
    assert store.value(reference) == "two"
    assert store.listed() == (reference,)
    assert (tmp_path / "secrets" / "db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    store.remove("db")
    with pytest.raises(NotFoundError):
        store.remove("db")


def test_a_name_that_leaves_the_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        FileSecrets(tmp_path).put("../x", "v")


def test_a_symlink_in_the_place_of_a_name_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db").symlink_to(tmp_path / "victim")
    FileSecrets(tmp_path / "secrets").put("db", "value")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_tools_may_only_point_into_the_directory_and_allowed_ones(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "out").symlink_to("/etc/hostname")
    store = FileSecrets(tmp_path / "secrets", allow=(str(tmp_path / "more"),))
    allowed = ["secrets/db", "more/x"]
    refused = ["secrets/../x", "secretsx", "moreover", "secrets/out"]
    assert all(store.refusal(Reference("file", str(tmp_path / name))) is None for name in allowed)
    assert all(store.refusal(Reference("file", f"{tmp_path}/{name}")) for name in refused)
