"""``keyring://service/name``: the keyring of the desktop or the system, where there is one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from akili_cli.adapters.files.atomic import write_private
from akili_cli.adapters.secrets.base import Reference, stored_name, usable
from akili_cli.domain.errors import ConfigError, NotFoundError, WorkspaceError

SERVICE = "akili"
WAIT_S = 30.0
INSTEAD = "use env://NAME, or akili secrets set NAME --provider file"
T = TypeVar("T")


class KeyringSecrets:
    """Reads and keeps values in the keyring; a keyring cannot be listed, so the names are kept in ``index``."""

    def __init__(self, index: Path, *, allow: tuple[str, ...] = (), wait_s: float = WAIT_S) -> None:
        """Keep the file of names, the further services tools may name, and how long to wait for an unlock."""
        self._index = index
        self._services = frozenset({SERVICE, *allow})
        self._wait_s = wait_s

    def value(self, reference: Reference) -> str:
        """Ask the keyring; raises ``ConfigError`` when there is none, it stays locked or it has no such entry."""
        service, name = _parts(reference)
        import keyring

        value = self._asked(lambda: keyring.get_password(service, name))
        if value is None:
            raise ConfigError(
                f"the keyring has no entry {name!r} of service {service!r}", hint=f"akili secrets set {name}"
            )
        return usable(value, f"the keyring entry {reference}")

    def refusal(self, reference: Reference) -> str | None:
        """Refuse a tool the entries of programs the operator did not name."""
        service, _ = _parts(reference)
        return None if service in self._services else f"the keyring provider does not allow the service {service!r}"

    def put(self, name: str, value: str) -> Reference:
        """Keep a value; raises ``ConfigError`` when there is no keyring."""
        import keyring

        key = stored_name(name)
        self._asked(lambda: keyring.set_password(SERVICE, key, value))
        self._write({*self._names(), key})
        return Reference("keyring", f"{SERVICE}/{key}")

    def remove(self, name: str) -> None:
        """Forget a value; raises ``NotFoundError`` for a name that was never set here."""
        import keyring
        from keyring.errors import PasswordDeleteError

        key, names = stored_name(name), self._names()
        if key not in names:
            raise NotFoundError(f"no secret named {name!r} is in the keyring", hint="see: akili secrets list")

        def forget() -> None:
            try:
                keyring.delete_password(SERVICE, key)
            except PasswordDeleteError:
                return  # somebody removed it with another program

        self._asked(forget)
        self._write(names - {key})

    def listed(self) -> tuple[Reference, ...]:
        """Give a reference for each name that was set here; the keyring itself is not asked."""
        return tuple(Reference("keyring", f"{SERVICE}/{name}") for name in sorted(self._names()))

    def _names(self) -> set[str]:
        try:
            names = json.loads(self._index.read_bytes())
        except FileNotFoundError:
            return set()
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"cannot read {self._index}", hint="remove it; the keyring keeps the values"
            ) from error
        return {str(name) for name in names} if isinstance(names, list) else set()

    def _write(self, names: set[str]) -> None:
        write_private(self._index, json.dumps(sorted(names)).encode())

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask in a thread: a locked keyring may wait for a window that nobody can see."""
        from keyring.errors import KeyringError, NoKeyringError

        answer: list[T] = []
        failure: list[Exception] = []

        def work() -> None:
            try:
                answer.append(ask())
            except (KeyringError, RuntimeError, OSError, ValueError, ImportError) as error:
                failure.append(error)

        thread = threading.Thread(target=work, name="keyring", daemon=True)
        thread.start()
        thread.join(self._wait_s)
        if answer:
            return answer[0]
        if failure and isinstance(failure[0], NoKeyringError):
            raise ConfigError("this machine has no keyring that akili can use", hint=INSTEAD) from failure[0]
        if failure:
            raise ConfigError(f"the keyring refused: {type(failure[0]).__name__}", hint=INSTEAD) from failure[0]
        raise ConfigError(f"the keyring did not answer within {self._wait_s:g} s", hint=f"unlock it, or {INSTEAD}")


def _parts(reference: Reference) -> tuple[str, str]:
    service, slash, name = reference.place.partition("/")
    if not service or not slash or not name:
        raise ConfigError("keyring:// must be followed by service/name", hint="for example keyring://akili/db")
    return service, name
