from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.config.sources import is_foreign, read_config_file, shown
from akili_cli.domain.errors import ConfigError


def written(path: Path, raw: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(raw)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.yaml", b"a: 1"),
        ("a.YML", b"a: 1"),
        ("a.json", b'{"a": 1}'),
        ("a", b'{"a": 1}'),
        ("b.yaml", b"\xef\xbb\xbfa: 1"),
    ],
)
def test_the_name_says_the_format(name: str, raw: bytes, tmp_path: Path) -> None:
    file = read_config_file(written(tmp_path / name, raw))
    assert file.data == {"a": 1}
    assert file.lines["a",] == 1
    assert file.private


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_an_empty_file_is_an_empty_mapping(name: str, tmp_path: Path) -> None:
    assert read_config_file(written(tmp_path / name, b"")).data == {}


def test_a_file_that_others_may_read_is_said_to_be(tmp_path: Path) -> None:
    assert not read_config_file(written(tmp_path / "a.yaml", b"", 0o644)).private


def test_a_link_is_followed(tmp_path: Path) -> None:
    written(tmp_path / "real.yaml", b"a: 1")
    (tmp_path / "a.yaml").symlink_to("real.yaml")
    assert read_config_file(tmp_path / "a.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"a: \xff", ":1: not UTF-8"),
        (b"a: 1\nb: \xc3", ":2: not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"- a", "must be a mapping"),
        (b"text", "must be a mapping"),
        (b"a: " + b"x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_what_it_may_not_hold(raw: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=what):
        read_config_file(written(tmp_path / "a.yaml", raw))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="others may write it") as caught:
        read_config_file(written(tmp_path / "a.yaml", b"", mode))
    assert caught.value.hint.startswith("chmod go-w")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", b"")
    os.chown(path, 54_321, 54_321)
    assert is_foreign(path)
    with pytest.raises(ConfigError, match="another user"):
        read_config_file(path)


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "device", "endless", "loop", "dangling"])
def test_what_is_no_regular_file_is_refused_without_waiting(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind != "missing":
        target = {"device": "/dev/null", "endless": "/dev/zero", "loop": path, "dangling": "nowhere"}[kind]
        path.symlink_to(target)
    with pytest.raises(ConfigError):
        read_config_file(path)
    assert not is_foreign(path)


def test_a_name_with_control_characters_is_shown_in_quotes() -> None:
    assert shown(Path("/tmp/a\x1b[2J")) == "'/tmp/a\\x1b[2J'"
    assert shown(Path("/tmp/a b")) == "/tmp/a b"
