from __future__ import annotations

import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from akili_cli.core.audit.chain import (
    STREAM_ID,
    ChainKey,
    encode_details,
    header,
    line_of,
    load_or_create_key,
    new_stream_id,
    split_line,
)
from akili_cli.domain.errors import AuditError

ROW: dict[str, object] = {
    "stream": "s",
    "seq": 1,
    "prev_hash": "0" * 64,
    "at": 1.5,
    "kind": "run",
    "org_id": "o",
    "user_id": 'a"b',
    "source": "cli",
    "correlation_id": "c",
    "run_id": "r",
    "conversation_id": "",
    "tool": "t",
    "call_id": "i",
    "result": "started",
}
HEAD = {"stream": "s", "started_at": 1.0, "host": "h", "pid": 1, "count": 2, "head_hash": "x", "closed_at": None}


def test_the_hash_is_hmac_sha256_of_the_body() -> None:
    derived = hmac.digest(b"k" * 32, b"akili audit entry", "sha256")
    for body in (b"", b"{}", b"x" * 5000):
        assert ChainKey(b"k" * 32).entry_hash(body) == hmac.new(derived, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("name", HEAD)
def test_the_mac_covers_every_field_of_the_head(name: str) -> None:
    key = ChainKey(b"k" * 32)
    head = {**HEAD, "mac": key.head_mac(HEAD)}
    assert key.head_mac_fits(head)
    for other in ("other", b"bytes", 3, None if head[name] is not None else 0.5):
        assert not key.head_mac_fits({**head, name: other})


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(AuditError, match="31 bytes"):
        ChainKey(b"k" * 31)


def test_a_line_splits_into_the_body_and_hash_it_was_made_of() -> None:
    body = header(ROW) + encode_details({"b": 1, "a": "ü"}) + "}"
    assert body.endswith('"details":{"a":"\\u00fc","b":1}}')
    assert '"user":"a\\"b"' in body
    assert split_line(line_of(body, "f" * 64)) == (body.encode(), "f" * 64)


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"x" * 200, b'{"hash":"' + b"f" * 64 + b'"}'])
def test_what_is_no_line_does_not_split(line: bytes) -> None:
    assert split_line(line) is None


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        header({**ROW, "tool": None})


def test_numbers_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_details({"x": float("nan")})


def test_stream_ids_have_their_form_and_differ() -> None:
    ids = {new_stream_id(1795532701.0) for _ in range(20)}
    assert len(ids) == 20
    assert all(STREAM_ID.fullmatch(one) and one.startswith("20261124T150501Z-") for one in ids)


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert load_or_create_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "home"] == ["audit.key"]


def test_many_that_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_or_create_key(tmp_path / "audit.key"), range(32)))
    assert len(keys) == 1


@pytest.mark.parametrize("size", [0, 31, 33, 4096])
def test_a_key_file_of_another_size_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    with pytest.raises(AuditError, match=f"{size} bytes"):
        load_or_create_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(b"k" * 32)
    path.chmod(mode)
    with pytest.raises(AuditError, match="open to others") as caught:
        load_or_create_key(path)
    assert "chmod 600" in caught.value.hint


def test_a_key_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    path = tmp_path / "audit.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(AuditError, match="another user"):
        load_or_create_key(path)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "no parent"])
def test_what_is_no_regular_file_is_no_key(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    if kind == "link":
        (tmp_path / "real").write_bytes(b"k" * 32)
        path.symlink_to(tmp_path / "real")
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "directory":
        path.mkdir()
    else:
        path = tmp_path / "none" / "audit.key"
    with pytest.raises(AuditError):
        load_or_create_key(path)
