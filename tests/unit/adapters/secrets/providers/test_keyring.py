from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from akili_cli.adapters.secrets.base import Reference
from akili_cli.adapters.secrets.providers.keyring import KeyringSecrets
from akili_cli.domain.errors import ConfigError, NotFoundError
from tests.fakes.keyrings import MemoryKeyring, SilentKeyring


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_a_secret_is_kept_listed_and_forgotten(memory: MemoryKeyring, tmp_path: Path) -> None:
    store = KeyringSecrets(tmp_path / ".keyring")
    assert store.listed() == ()
    reference = store.put("db", "hunter22")
    assert (str(reference), store.value(reference), store.listed()) == ("keyring://akili/db", "hunter22", (reference,))
    assert "hunter22" not in (tmp_path / ".keyring").read_text()
    store.remove("db")
    assert memory.kept == {}
    with pytest.raises(NotFoundError):
        store.remove("db")


def test_forgetting_what_another_program_removed_works(memory: MemoryKeyring, tmp_path: Path) -> None:
    store = KeyringSecrets(tmp_path / ".keyring")
    store.put("db", "hunter22")
    memory.kept.clear()
    store.remove("db")
    assert store.listed() == ()


def test_an_entry_that_is_missing_is_refused(memory: MemoryKeyring, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no entry"):
        KeyringSecrets(tmp_path / "i").value(Reference("keyring", "akili/none"))


@pytest.mark.parametrize("place", ["", "akili", "/x", "akili/"])
def test_a_reference_names_service_and_entry(place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="service/name"):
        KeyringSecrets(tmp_path / "i").value(Reference("keyring", place))


def test_a_machine_without_a_keyring_gets_a_way_out(memory: MemoryKeyring, tmp_path: Path) -> None:
    keyring.set_keyring(NoKeyring())
    store = KeyringSecrets(tmp_path / "i")
    for ask in (lambda: store.value(Reference("keyring", "akili/db")), lambda: store.put("db", "v")):
        with pytest.raises(ConfigError, match="has no keyring") as caught:
            ask()
        assert "env://NAME" in caught.value.hint
        assert "--provider file" in caught.value.hint


def test_a_keyring_that_waits_for_a_window_is_given_up(memory: MemoryKeyring, tmp_path: Path) -> None:
    keyring.set_keyring(SilentKeyring())
    with pytest.raises(ConfigError, match="did not answer"):
        KeyringSecrets(tmp_path / "i", wait_s=0.05).value(Reference("keyring", "akili/db"))


def test_tools_may_only_name_allowed_services(tmp_path: Path) -> None:
    store = KeyringSecrets(tmp_path / "i", allow=("infra",))
    verdicts = [store.refusal(Reference("keyring", f"{name}/x")) is None for name in ("akili", "infra", "login")]
    assert verdicts == [True, True, False]
