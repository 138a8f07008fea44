from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.core.audit import standalone

KEY = b"b" * 32
Files = dict[str, bytes]


def line(seq: int, before: str) -> bytes:
    return json.dumps({"stream": "s", "seq": seq, "prev_hash": before, "hash": f"h{seq}"}).encode() + b"\n"


def sealed(files: Files, **said: object) -> Files:
    manifest = {
        "akili_audit_bundle": 1,
        "at": "2026-02-17T12:00:00Z",
        "records": 3,
        "verified": {"ok": True, "problems": []},
        "streams": [
            {"stream": "s", "file": "records/s.jsonl", "first": 4, "last": 6, "before": "h3", "end": "h6"},
        ],
        "files": {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in files.items()},
        **said,
    }
    raw = json.dumps(manifest).encode()
    mac = standalone.manifest_mac(KEY, raw).encode()
    return {**files, standalone.MANIFEST: raw, f"{standalone.MANIFEST}.mac": mac}


def whole() -> Files:
    return sealed({"records/s.jsonl": b"".join(line(seq, f"h{seq - 1}") for seq in (4, 5, 6))})


def put(files: Files, root: Path) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def run(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    alone = bundle.parent / "alone.py"
    shutil.copy(standalone.__file__, alone)
    return subprocess.run(
        [sys.executable, "-I", "-S", str(alone), str(bundle), *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_it_runs_alone_without_akili_and_without_installed_packages(tmp_path: Path) -> None:
    bundle = put(whole(), tmp_path / "bundle")
    (tmp_path / "key").write_text(KEY.hex())
    done = run(bundle, "--key", str(tmp_path / "key"))
    assert (done.returncode, done.stdout[:24]) == (0, "ok: 3 records in 1 strea"), done.stderr
    assert run(bundle).returncode == 2
    assert run(bundle, "--manifest-sha256", "0" * 64).returncode == 1
    assert run(tmp_path / "none", "--manifest-sha256", "0" * 64).returncode == 2


def reordered() -> Files:
    return sealed({"records/s.jsonl": line(4, "h3") + line(6, "h5") + line(5, "h4")})


def shortened() -> Files:
    return sealed({"records/s.jsonl": line(4, "h3") + line(5, "h4")})


CHANGES: dict[str, Callable[[Files], Files]] = {
    "record changed": lambda f: f | {"records/s.jsonl": f["records/s.jsonl"].replace(b"h4", b"h9")},
    "record dropped": lambda f: f | {"records/s.jsonl": f["records/s.jsonl"][:-20]},
    "file missing": lambda f: {name: data for name, data in f.items() if not name.startswith("records")},
    "file added": lambda f: f | {"records/t.jsonl": b""},
    "manifest changed": lambda f: f | {"manifest.json": f["manifest.json"].replace(b"3", b"4")},
    "manifest missing": lambda f: {name: data for name, data in f.items() if name != "manifest.json"},
    "mac missing": lambda f: {name: data for name, data in f.items() if name != "manifest.json.mac"},
    "mac changed": lambda f: f | {"manifest.json.mac": b"0" * 64},
    "reordered by its maker": lambda _f: reordered(),
    "shortened by its maker": lambda _f: shortened(),
    "another version": lambda f: sealed({"records/s.jsonl": f["records/s.jsonl"]}, akili_audit_bundle=2),
    "another count": lambda f: sealed({"records/s.jsonl": f["records/s.jsonl"]}, records=2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_bundle_is_broken(change: str) -> None:
    assert standalone.check(whole(), KEY, None)["records"] == 3
    with pytest.raises(standalone.BrokenError):
        standalone.check(CHANGES[change](whole()), KEY, None)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null"])
def test_a_bundle_that_makes_no_sense_is_said_to_be_broken(content: bytes, tmp_path: Path) -> None:
    files = whole() | {"manifest.json": content, "manifest.json.mac": standalone.manifest_mac(KEY, content).encode()}
    (tmp_path / "key").write_text(KEY.hex())
    done = run(put(files, tmp_path / "bundle"), "--key", str(tmp_path / "key"))
    assert (done.returncode, done.stdout[:6], "Traceback" in done.stderr) == (1, "BROKEN", False)


@pytest.mark.parametrize("kind", ["link", "twice", "device"])
def test_an_archive_with_tricks_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("b/manifest.json")
        if kind == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        elif kind == "device":
            member.type = tarfile.CHRTYPE
        for _ in range(2):
            archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(standalone.BrokenError):
        standalone.read_bundle(path)
    directory = put({"a": b""}, tmp_path / "bundle")
    (directory / "link").symlink_to("/etc/passwd")
    with pytest.raises(standalone.BrokenError):
        standalone.read_bundle(directory)
