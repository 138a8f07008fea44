"""Collects effects while a line is read, and knows where relative paths start."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from akili_cli.core.tools.shell.words import Token
from akili_cli.domain.effects import Command, Effects

Access = Literal["read", "write", "delete"]
_STREAMS = re.compile(r"-|/dev/(?:null|zero|full|random|urandom|tty|stdin|stdout|stderr|fd/\d+)")
_NETWORK = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/([^/]+)")
_MULTICALL = frozenset({"busybox", "toybox", "coreutils", "uutils"})
_SYSTEM = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
_PROCESS = re.compile(r"/(?:proc/+[^/]+/+(?:task/+[^/]+/+)?(?:cwd|root|fd|exe|map_files)|dev/+fd)\b")
MAX_PLACES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """The directories a command may run in; not ``known`` after a ``cd`` that cannot be followed."""

    dirs: tuple[str, ...]
    known: bool = True

    def moved(self, token: Token, home: str) -> Place:
        """Give the place after ``cd token``."""
        text = token.plain
        if text is None or text == "-" or len(self.dirs) > MAX_PLACES:
            return Place(self.dirs, known=False)
        target = text or home
        return Place(tuple(dict.fromkeys(str(Path(d) / target) for d in self.dirs)), self.known)

    def or_else(self, other: Place) -> Place:
        """Give the place when either may hold."""
        return Place(tuple(dict.fromkeys(self.dirs + other.dirs)), self.known and other.known)


class Ledger:
    """The effects found so far."""

    def __init__(self, path: str, home: str) -> None:
        """Start empty; ``path`` is the PATH programs are looked up on."""
        self.home = home
        self.commands: list[Command] = []
        self.hosts: list[str] = []
        self.reasons: list[str] = []
        self.reversible = True
        self._path = [entry for entry in path.split(":") if entry.startswith("/")]
        self._paths: dict[Access, list[str]] = {"read": [], "write": [], "delete": []}

    @property
    def written(self) -> int:
        """How many writes were noted so far."""
        return len(self._paths["write"])

    def opaque(self, reason: str) -> None:
        """Note why the effects cannot be known."""
        self.reasons.append(reason)

    def irreversible(self) -> None:
        """Note that undo could not bring everything back."""
        self.reversible = False

    def host(self, host: str, port: int | str) -> None:
        """Note a host and port that is contacted."""
        name = host.strip("[]").lower()
        try:
            name = name if name.isascii() else name.encode("idna").decode()
        except UnicodeError:
            self.opaque(f"the host {host!r} is not a name")
            return
        self.hosts.append(f"[{name}]:{port}" if ":" in name else f"{name}:{port}")

    def socket(self, path: str) -> None:
        """Note a local socket that is contacted."""
        self.hosts.append(f"unix:{path}")

    def fixed(self, access: Access, *paths: str) -> None:
        """Note absolute paths a program is known to use."""
        self._paths[access].extend(_real(path) for path in paths)

    def touch(self, access: Access, token: Token, place: Place) -> None:
        """Note the path a token names; a computed one is opaque unless it is only read."""
        text = token.parent if token.parent is not None else token.text
        if text is None:
            if access != "read":
                self.opaque(f"{access}s to the computed path {token.raw!r}")
            return
        if _STREAMS.fullmatch(text) or not text:
            return
        if network := _NETWORK.fullmatch(text):
            self.host(network.group(1), network.group(2))
            return
        if access != "read" and _PROCESS.search(text):
            self.opaque(f"{access}s to {text!r}, which depends on the process that looks")
        if not text.startswith("/") and not place.known and access != "read":
            self.opaque(f"{access}s to {token.raw!r} in a directory that cannot be known")
        for directory in place.dirs:
            self._paths[access].append(resolve(text, directory, link_itself=access == "delete"))

    def command(self, tokens: tuple[Token, ...], wrappers: tuple[str, ...], place: Place) -> Command:
        """Note a simple command and give it; arguments that are computed stay as written."""
        typed = tokens[0].plain or tokens[0].raw
        program, path = self.program(typed, place)
        argv = tuple(token.raw if token.text is None else token.text for token in tokens)
        command = Command(program, argv, path, wrappers)
        if command not in self.commands:
            self.commands.append(command)
        return command

    def program(self, typed: str, place: Place) -> tuple[str, str | None]:
        """Give the name that will run and its file: the typed name, unless a link leads elsewhere."""
        base = typed.rstrip("/").rpartition("/")[2] or typed
        if "/" not in typed:
            return typed, self.find(typed)
        real = resolve(typed, place.dirs[0])
        if not place.known and not typed.startswith("/"):
            self.opaque(f"runs {typed!r} from a directory that cannot be known")
        target = Path(real).name
        usual = self.find(base)
        if usual == real or target in _MULTICALL:
            return base, real
        if not _is_program(real):
            return base, None
        if self.find(target) not in (None, real) and str(Path(real).parent) not in _SYSTEM:
            self.opaque(f"runs {real}, which is not the usual {target}")
        return target, real

    def find(self, name: str) -> str | None:
        """Give the file a name stands for on PATH, links followed."""
        if not name or "/" in name:
            return None
        for entry in self._path:
            candidate = f"{entry}/{name}"
            if _is_program(candidate):
                return os.path.realpath(candidate)
        return None

    def effects(self) -> Effects:
        """Sum up."""
        deletes = self._paths["delete"]
        return Effects(
            reads=_unique(self._paths["read"]),
            writes=_unique(self._paths["write"]),
            deletes=_unique(deletes),
            commands=tuple(self.commands),
            hosts=_unique(self.hosts),
            reversible=self.reversible and not deletes and not self.reasons,
            opaque="; ".join(dict.fromkeys(self.reasons)) or None,
        )


def _unique(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _is_program(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def resolve(text: str, directory: str, *, link_itself: bool = False) -> str:
    """Make a path absolute and follow links; ``link_itself`` keeps a link in the last place."""
    joined = Path(directory) / text
    if link_itself and not text.endswith("/") and joined.name not in ("", "..") and not text.endswith("/."):
        return str(Path(os.path.realpath(joined.parent)) / joined.name)
    return _real(joined)


def _real(path: str | Path) -> str:
    """Follow links, but name the reader's own process as the one that will run would: ``/proc/self``."""
    real = os.path.realpath(path)
    own = f"/proc/{os.getpid()}"
    return "/proc/self" + real[len(own) :] if real == own or real.startswith(f"{own}/") else real
