"""Reads one config file: a regular file that nobody else could have written."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.files.strict_json import load_json_with_lines
from akili_cli.adapters.files.yaml import MAX_BYTES, Lines, load_yaml_with_lines
from akili_cli.domain.errors import ConfigError

_PIECE_BYTES = 65_536
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a config file says; ``source`` is its path as shown. ``private`` tells that nobody else reads it."""

    source: str
    data: Mapping[str, object]
    lines: Lines
    private: bool


def read_config_file(path: Path) -> ConfigFile:
    """Read a config file; ``.yml`` and ``.yaml`` are YAML, anything else is JSON; an empty one is empty.

    Raises ``ConfigError`` when it is missing, not a regular file, larger than 1 MiB, not UTF-8, owned by
    somebody else than root or this user, writable for others, or not a mapping.
    """
    source = shown(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{source}: cannot be read: {reason}") from error
    try:
        status = os.fstat(fd)
        _check_status(status, source)
        raw = _read(fd)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
    data, lines = _parse(raw, path, source)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source}:1: must be a mapping of keys to values")
    return ConfigFile(source, data, lines, private=not status.st_mode & _OTHERS_READ)


def _read(fd: int) -> bytes:
    raw = bytearray()
    while len(raw) <= MAX_BYTES + len(codecs.BOM_UTF8) and (piece := os.read(fd, _PIECE_BYTES)):
        raw += piece
    return bytes(raw)


def is_foreign(path: Path) -> bool:
    """Tell whether a file belongs to another user than root or this one; one that cannot be seen does not."""
    try:
        return path.stat().st_uid not in (0, os.geteuid())
    except OSError:
        return False


def shown(path: Path) -> str:
    """Give a path as text that is safe on a terminal."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def _check_status(status: os.stat_result, source: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{source}: is not a regular file")
    if status.st_size > MAX_BYTES:
        raise ConfigError(f"{source}: larger than 1 MiB")
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"{source}: belongs to another user (uid {status.st_uid})",
            hint="akili follows only config that you or root own",
        )
    if status.st_mode & _OTHERS_WRITE:
        raise ConfigError(f"{source}: others may write it", hint=f"chmod go-w {source}")


def _parse(raw: bytes, path: Path, source: str) -> tuple[object, Lines]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{source}:{line}: not UTF-8") from None
    if path.suffix.lower() in (".yml", ".yaml"):
        return load_yaml_with_lines(text, source)
    return load_json_with_lines(text, source)
