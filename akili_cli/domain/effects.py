"""What one tool call would do to the world: the one structure that policy, sandbox and audit share."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command found in a call, after unwrapping and dequoting.

    ``program`` is the base name that will run; ``path`` the absolute file it resolves to, or ``None``
    when it is not found on the sandbox's PATH. ``argv`` holds the literal tokens, ``argv[0]`` as written.
    ``wrappers`` names what was unwrapped on the way (``sudo``, ``env``, ``xargs`` ...), outermost first.
    """

    program: str
    argv: tuple[str, ...]
    path: str | None = None
    wrappers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything a call would read, write, delete, run, reach and use.

    Paths are absolute and resolved (no ``..``, symlinks followed where the target exists). ``hosts`` holds
    ``host:port`` with the host in lower-case ASCII (IDNA), or ``unix:/path`` for a local socket.
    ``opaque`` says why the effects cannot be known: such a call matches every deny rule and no allow rule.
    ``reversible`` is False when ``akili undo`` could not bring back what it changes.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    reversible: bool = True
    opaque: str | None = None

    @property
    def changes(self) -> bool:
        """Whether anything outside akili would be different afterwards, as far as is known."""
        return bool(self.writes or self.deletes or self.nodes or self.channels or self.opaque)

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form that leaves out what is empty."""
        out: dict[str, object] = {}
        for name in _FIELDS:
            value = getattr(self, name)
            if not value and name != "reversible":
                continue
            if name == "commands":
                value = [list(command.argv) for command in value]
            elif isinstance(value, tuple):
                value = list(value)
            out[name] = value
        return out


_FIELDS = tuple(field.name for field in fields(Effects))
