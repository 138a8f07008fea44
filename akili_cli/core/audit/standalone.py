#!/usr/bin/env python3
"""Verify a bundle that `akili audit export` wrote: python3 verify_audit.py BUNDLE --key FILE [--manifest-sha256 HEX]

BUNDLE is the directory or the .tar.gz. Needs Python 3.8 or later and nothing else. Checks that
  1. the manifest is the one whose SHA-256 you were given apart (--manifest-sha256), and fits the bundle key (--key);
  2. every file is the one the manifest names, by length and SHA-256, and there is no other file;
  3. the records of every stream follow one another without a gap: numbers, and the hash before in each.
Whoever holds the bundle key could forge a whole bundle: the digest, kept apart from the bundle, is the stronger proof.
Whether the records are genuine at all is proved where they were written (`akili audit verify`); the manifest says
what that found at the time. Trust the copy of this file that came with akili, not the one inside the bundle.
Exit code: 0 whole, 1 not, 2 cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import tarfile
from pathlib import Path
from typing import Dict, List  # noqa: UP035 - runs on Python 3.8 too

MANIFEST = "manifest.json"
VERIFIER = "verify_audit.py"
MAC_TEXT = b"akili audit bundle manifest\n"


class BrokenError(Exception):
    """The bundle is not what was exported."""


def read_bundle(path: Path) -> Dict[str, bytes]:  # noqa: UP006 - runs on Python 3.8 too
    """Give every file of a bundle by its name inside; nothing is unpacked to the disk."""
    files = {}
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_symlink() or not (file.is_dir() or file.is_file()):
                raise BrokenError(f"{file} is neither a file nor a directory")
            if file.is_file():
                files[file.relative_to(path).as_posix()] = file.read_bytes()
        return files
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isdir():
                continue
            content = archive.extractfile(member) if member.isfile() else None
            name = member.name.partition("/")[2] or member.name
            if content is None or name in files:
                raise BrokenError(f"{member.name} is no plain file, or there twice")
            files[name] = content.read()
    return files


def manifest_mac(key: bytes, manifest: bytes) -> str:
    """Give the keyed hash of a manifest's bytes."""
    return hmac.new(key, MAC_TEXT + manifest, hashlib.sha256).hexdigest()


def check_manifest(files: Dict[str, bytes], key: bytes | None, sha256: str | None) -> Dict[str, object]:  # noqa: UP006
    """Give the manifest once it is proved by key or digest."""
    if MANIFEST not in files or MANIFEST + ".mac" not in files:
        raise BrokenError("there is no signed manifest")
    raw = files[MANIFEST]
    if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256.strip().lower():
        raise BrokenError("the manifest is not the one with that SHA-256")
    if key is not None:
        said = files[MANIFEST + ".mac"].strip()
        if not hmac.compare_digest(said, manifest_mac(key, raw).encode()):
            raise BrokenError("the manifest does not fit the bundle key: it was changed, or the key is another's")
    manifest = json.loads(raw.decode())
    if not isinstance(manifest, dict) or manifest.get("akili_audit_bundle") != 1:
        raise BrokenError("the manifest is of another kind or version")
    return manifest


def check_files(manifest: Dict[str, object], files: Dict[str, bytes]) -> None:  # noqa: UP006
    """Check that exactly the named files are there, each as it was."""
    named: dict = manifest["files"]  # type: ignore[assignment,type-arg] # its own writer made it
    extra = sorted(set(files) - set(named) - {MANIFEST, MANIFEST + ".mac", VERIFIER})
    if extra:
        raise BrokenError(f"{extra[0]} is not in the manifest")
    for name, (size, digest) in named.items():
        if name not in files:
            raise BrokenError(f"{name} is missing")
        if (len(files[name]), hashlib.sha256(files[name]).hexdigest()) != (size, digest):
            raise BrokenError(f"{name} was changed")


def check_stream(stream: Dict[str, object], content: bytes) -> int:  # noqa: UP006
    """Check that a stream's records follow one another from its first to its last; give how many."""
    name, seq, last = stream["stream"], int(str(stream["first"])) - 1, stream["before"]
    lines: List[bytes] = content.splitlines()  # noqa: UP006
    for line in lines:
        record = json.loads(line.decode())
        seq += 1
        if (record["stream"], record["seq"], record["prev_hash"]) != (name, seq, last):
            raise BrokenError(f"record {seq} of {name} does not follow the one before it")
        last = record["hash"]
    if (seq, last) != (stream["last"], stream["end"]):
        raise BrokenError(f"{name} does not end where the manifest says")
    return len(lines)


def check(files: Dict[str, bytes], key: bytes | None, sha256: str | None) -> Dict[str, object]:  # noqa: UP006
    """Check a whole bundle; give its manifest. Raises ``BrokenError`` and whatever broken JSON raises."""
    manifest = check_manifest(files, key, sha256)
    check_files(manifest, files)
    streams: list = manifest["streams"]  # type: ignore[assignment,type-arg] # its own writer made it
    total = sum(check_stream(stream, files[stream["file"]]) for stream in streams)
    if total != manifest["records"]:
        raise BrokenError(f"it holds {total} records, the manifest says {manifest['records']}")
    return manifest


def main() -> int:
    """Read the command line, check, say what was found."""
    parser = argparse.ArgumentParser(description="Verify a bundle that `akili audit export` wrote.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, help="the file with the bundle key")
    parser.add_argument("--manifest-sha256", help="the manifest's SHA-256, as it was printed at the export")
    given = parser.parse_args()
    if given.key is None and given.manifest_sha256 is None:
        parser.error("give --key or --manifest-sha256, better both: without either nothing is proved")
    try:
        key = bytes.fromhex(given.key.read_text().strip()) if given.key is not None else None
        manifest = check(read_bundle(given.bundle), key, given.manifest_sha256)
    except BrokenError as error:
        sys.stdout.write(f"BROKEN: {error}\n")
        return 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        sys.stdout.write(f"BROKEN: it cannot be understood: {error!r}\n")
        return 1
    except (OSError, EOFError, tarfile.TarError) as error:
        sys.stdout.write(f"cannot read it: {error}\n")
        return 2
    streams: list = manifest["streams"]  # type: ignore[assignment,type-arg] # its own writer made it
    verified: dict = manifest["verified"]  # type: ignore[assignment,type-arg] # its own writer made it
    sys.stdout.write(f"ok: {manifest['records']} records in {len(streams)} streams, exported {manifest['at']}\n")
    if not verified["ok"]:
        sys.stdout.write(f"but the audit itself was BROKEN when it was exported: {verified['problems'][:3]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
