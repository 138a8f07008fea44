"""The keyed hash chain: how an entry becomes bytes, what is hashed, and where the key comes from.

An entry's body is one canonical JSON text: the chain fields and columns in a fixed order, then the details in
sorted order, ASCII, without spaces. Its hash is HMAC-SHA256 over that very text, which holds the stream, the
number and the hash before it. The line in the JSONL file is the body with the hash as its last field.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path

from akili_cli.domain.errors import AuditError

KEY_BYTES = 32
_BLOCK_BYTES = 64
NO_HASH = "0" * 64
HASH_TAIL_CHARS = len(',"hash":""}') + 64
STREAM_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{1,10}-[0-9a-f]{6}")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class ChainKey:
    """The workspace's audit key, split in keys for entries, stream heads, anchors and exports."""

    __slots__ = ("_anchors", "_exports", "_heads", "_inner", "_outer", "fingerprint")

    def __init__(self, key: bytes) -> None:
        """Derive the keys; raises ``AuditError`` when the key is not 32 bytes."""
        if len(key) != KEY_BYTES:
            raise AuditError(f"the audit key has {len(key)} bytes instead of {KEY_BYTES}")
        entries = hmac.digest(key, b"akili audit entry", "sha256").ljust(_BLOCK_BYTES, b"\0")
        self._inner = bytes(byte ^ 0x36 for byte in entries)
        self._outer = bytes(byte ^ 0x5C for byte in entries)
        self._heads = hmac.digest(key, b"akili audit head", "sha256")
        self._anchors = hmac.digest(key, b"akili audit anchor", "sha256")
        self._exports = hmac.digest(key, b"akili audit export", "sha256")
        self.fingerprint = hmac.digest(key, b"akili audit key fingerprint", "sha256").hex()

    def entry_hash(self, body: bytes) -> str:
        """Give the hash (64 hex characters) of an entry's body."""
        digest = hashlib.sha256  # HMAC by hand: less than half of what the module's one costs for so few bytes
        return digest(self._outer + digest(self._inner + body).digest()).hexdigest()

    def entry_hashes(self, bodies: Iterable[str]) -> list[str]:
        """Give the hash of each of many bodies; quicker than one call for each."""
        digest, inner, outer = hashlib.sha256, self._inner, self._outer
        return [digest(outer + digest(inner + body.encode()).digest()).hexdigest() for body in bodies]

    def head_mac(self, head: Mapping[str, object]) -> str:
        """Give the keyed hash over everything a stream's head row says."""
        said = [head[name] for name in ("stream", "started_at", "host", "pid", "count", "head_hash", "closed_at")]
        return hmac.digest(self._heads, json.dumps(said).encode(), "sha256").hex()

    def head_mac_fits(self, head: Mapping[str, object]) -> bool:
        """Tell whether a head row is as its writer left it."""
        try:
            return hmac.compare_digest(str(head["mac"]), self.head_mac(head))
        except (TypeError, ValueError):
            return False

    def anchor_mac(self, body: str) -> str:
        """Give the keyed hash of an anchor."""
        return hmac.digest(self._anchors, body.encode(), "sha256").hex()

    def anchor_mac_fits(self, body: str, mac: str) -> bool:
        """Tell whether an anchor is as this workspace wrote it."""
        return hmac.compare_digest(mac.encode("utf-8", "surrogatepass"), self.anchor_mac(body).encode())

    def bundle_key(self, bundle_id: str) -> bytes:
        """Derive the key of one exported bundle; nothing leads from it back to this key or to other bundles."""
        return hmac.digest(self._exports, bundle_id.encode(), "sha256")


def encode_details(details: Mapping[str, object]) -> str:
    """Write details as canonical JSON; ``ValueError`` or ``TypeError`` when they are not plain JSON data."""
    return _ENCODER.encode(details)


def header(row: Mapping[str, object]) -> str:
    """Write the beginning of a body from a row's columns; raises ``TypeError`` for a column of another type."""
    q = _quoted
    return (
        f'{{"stream":{q(row["stream"])},"seq":{row["seq"]!r},"prev_hash":{q(row["prev_hash"])},"at":{row["at"]!r},'  # type: ignore[arg-type] # a wrong type raises
        f'"kind":{q(row["kind"])},"org":{q(row["org_id"])},"user":{q(row["user_id"])},"source":{q(row["source"])},'  # type: ignore[arg-type] # a wrong type raises
        f'"correlation_id":{q(row["correlation_id"])},"run_id":{q(row["run_id"])},'  # type: ignore[arg-type] # a wrong type raises
        f'"conversation_id":{q(row["conversation_id"])},"tool":{q(row["tool"])},"call_id":{q(row["call_id"])},'  # type: ignore[arg-type] # a wrong type raises
        f'"result":{q(row["result"])},"details":'  # type: ignore[arg-type] # a wrong type raises
    )


def line_of(body: str, entry_hash: str) -> bytes:
    """Give the JSONL line of an entry, newline included."""
    return f'{body[:-1]},"hash":"{entry_hash}"}}\n'.encode()


def split_line(line: bytes) -> tuple[bytes, str] | None:
    """Give body and hash of a whole JSONL line, or None when it has not the form of one."""
    tail = line[-HASH_TAIL_CHARS - 1 :]
    if not (tail.startswith(b',"hash":"') and tail.endswith(b'"}\n')):
        return None
    return line[: -HASH_TAIL_CHARS - 1] + b"}", tail[9:-3].decode("ascii", "replace")


def new_stream_id(at: float) -> str:
    """Give a stream id that sorts by time and is this process's own."""
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{os.getpid()}-{secrets.token_hex(3)}"


def load_or_create_key(path: Path) -> bytes:
    """Read the 32-byte key, or make it (mode 0600); two processes that make it at once get the same one.

    Raises ``AuditError`` that names the fix when the file is not ours alone or not a key.
    """
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _create_key(path)
        return _read_key(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> AuditError:
    return AuditError(
        f"the audit key {path} cannot be used: {error.strerror or error}",
        hint="make it a regular file in a directory that you own, with mode 0600",
    )


def _create_key(path: Path) -> None:
    """Write a whole file beside it first, then link it: the name appears complete, and only once."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        os.close(fd)
        draft.unlink()


def _read_key(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode):
            raise AuditError(f"the audit key {path} is not a regular file", hint="move it away")
        if state.st_uid != os.geteuid():
            raise AuditError(f"the audit key {path} belongs to another user", hint=f"chown {os.geteuid()} {path}")
        if state.st_mode & 0o077:
            raise AuditError(
                f"the audit key {path} is open to others (mode {state.st_mode & 0o777:04o})",
                hint=f"chmod 600 {path}; if others may have read it, the chain proves nothing against them",
            )
        key = os.read(fd, KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(key) != KEY_BYTES:
        raise AuditError(
            f"the audit key {path} has {state.st_size} bytes instead of {KEY_BYTES}",
            hint="restore it from a backup; with a new key the existing records cannot be verified",
        )
    return key
