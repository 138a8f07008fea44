from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.core.audit.model import Kind
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, NotFoundError, PolicyDeniedError
from akili_cli.features.keys import service as room_service
from akili_cli.features.keys import store
from akili_cli.features.keys.model import KeyOwner
from tests.contract.places import AnyDatabase
from tests.fakes.keys import KeysRoom, draft, keys_room

HERE = Principal("root", Source.CLI)
ANN, BEN, ADA = (Principal(name, Source.HTTP) for name in ("ann", "ben", "ada"))


@pytest.fixture
async def room(db: AnyDatabase, tmp_path: Path) -> AsyncIterator[KeysRoom]:
    async with keys_room(db, tmp_path) as opened:
        yield opened


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count hashes, of which each real one takes 50 ms."""
    salts: list[str] = []

    def quick(secret: str, salt: str) -> str:
        salts.append(salt)
        return f"{salt}{secret}".encode().hex()

    monkeypatch.setattr(room_service, "hash_of", quick)
    return salts


async def test_a_key_opens_for_its_user_and_nothing_of_it_is_kept(room: KeysRoom) -> None:
    key, token = await room.service.create(draft(name="ci", role="operator", expires_in_s=90 * 86_400), HERE)
    assert token == f"akili_{key.id}_{token[15:]}"
    assert len(token) == 58
    assert await room.service.verify(token) == KeyOwner("ann", key.id)
    rows = await room.db.read(lambda c: c.execute("SELECT * FROM api_keys"))
    assert token[15:] not in str(rows)
    assert room.redactor.text(f"x {token} y") == "x [redacted:api-key] y"
    entries = await AuditReader(room.db, "default").tail(10)
    said = [(e.record.tool, e.record.kind, e.record.user, e.record.parameters) for e in entries if e.record.tool]
    assert [(tool, kind, user) for tool, kind, user, _ in said] == [("keys.create", Kind.STATE, "root")]
    assert said[0][3]["for"] == "ann"
    assert token[15:] not in str(entries)
    assert key.hash not in str(entries)


async def test_a_wrong_secret_an_unknown_id_and_any_other_text_open_nothing(room: KeysRoom) -> None:
    key, token = await room.service.create(draft(), HERE)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    for text in (wrong, token.replace(key.id, "00000000"), "", key.id, token + "x", token.upper(), f" {token}"):
        assert await room.service.verify(text) is None


async def test_a_revoked_key_opens_nothing_from_then_on_also_where_it_was_seen_before(
    room: KeysRoom, tmp_path: Path, hashed: list[str]
) -> None:
    key, token = await room.service.create(draft(), HERE)
    async with keys_room(room.db, tmp_path / "other", room.clock) as other:
        assert await other.service.verify(token) is not None
        assert await room.service.verify(token) is not None
        await room.service.revoke(key.id, HERE)
        assert await room.service.verify(token) is None
        assert await other.service.verify(token) is None
    entries = await AuditReader(room.db, "default").tail(20)
    revoked = [entry.record.parameters for entry in entries if entry.record.tool == "keys.revoke"]
    assert revoked == [{"key_id": key.id, "for": "ann"}]
    with pytest.raises(ConflictError, match="revoked before"):
        await room.service.revoke(key.id, HERE)


async def test_a_key_is_over_at_its_time(room: KeysRoom, hashed: list[str]) -> None:
    _key, token = await room.service.create(draft(expires_in_s=60), HERE)
    room.clock.move(59.9)
    assert await room.service.verify(token) is not None
    room.clock.move(0.1)
    assert await room.service.verify(token) is None


async def test_a_bound_key_ends_once_its_user_has_another_role(room: KeysRoom, hashed: list[str]) -> None:
    _key, bound = await room.service.create(draft(role="operator"), HERE)
    _key, free = await room.service.create(draft(), HERE)
    room.roles["ann"] = "admin"
    assert await room.service.verify(bound) is None
    assert await room.service.verify(free) is not None
    room.roles["ann"] = "operator"
    assert await room.service.verify(bound) is not None


@pytest.mark.parametrize(("user", "has"), [("ann", "has the role operator"), ("nobody", "has no role")])
async def test_a_key_gives_no_role(room: KeysRoom, user: str, has: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=has) as caught:
        await room.service.create(draft(user, role="admin"), HERE)
    assert "security.user_roles" in caught.value.hint
    assert await room.service.listed(HERE) == []


async def test_only_an_admin_or_the_terminal_sees_to_keys_of_others(room: KeysRoom, hashed: list[str]) -> None:
    with pytest.raises(PolicyDeniedError, match="ben may not make a key for ann"):
        await room.service.create(draft("ann"), BEN)
    anns, _ = await room.service.create(draft("ann"), ANN)
    bens, _ = await room.service.create(draft("ben"), ADA)
    assert [key.id for key in await room.service.listed(BEN)] == [bens.id]
    assert {key.id for key in await room.service.listed(ADA)} == {anns.id, bens.id}
    assert {key.id for key in await room.service.listed(HERE)} == {anns.id, bens.id}
    with pytest.raises(NotFoundError) as foreign:
        await room.service.revoke(anns.id, BEN)
    with pytest.raises(NotFoundError) as unknown:
        await room.service.revoke("00000000", BEN)
    assert str(foreign.value).replace(anns.id, "00000000") == str(unknown.value)
    await room.service.revoke(anns.id, ADA)
    await room.service.revoke(bens.id, BEN)


async def test_another_organisation_knows_no_key_of_this_one(room: KeysRoom, hashed: list[str]) -> None:
    _key, token = await room.service.create(draft(), HERE)
    other = replace(room.service, org="other")
    assert await other.verify(token) is None
    assert await other.listed(HERE) == []
    assert not await other.reader.has_live()


async def test_the_hash_is_made_once_for_each_key_and_process(room: KeysRoom, hashed: list[str]) -> None:
    _key, token = await room.service.create(draft(), HERE)
    hashed.clear()
    owners = await asyncio.gather(*(room.service.verify(token) for _ in range(20)))
    assert None not in owners
    assert len(hashed) == 1
    assert await room.service.verify(token[:-1] + "_") is None or token.endswith("_")
    assert await room.service.verify(token) is not None
    assert len(hashed) <= 2


async def test_an_unknown_id_costs_a_hash_as_a_known_one_does(room: KeysRoom, hashed: list[str]) -> None:
    key, token = await room.service.create(draft(), HERE)
    hashed.clear()
    await room.service.verify(token.replace(key.id, "00000000"))
    assert len(hashed) == 1
    await room.service.verify("rubbish")
    assert len(hashed) == 1


async def test_known_only_lets_in_who_was_here_and_makes_no_hash(room: KeysRoom, hashed: list[str]) -> None:
    key, token = await room.service.create(draft(), HERE)
    hashed.clear()
    assert await room.service.verify(token, known_only=True) is None
    assert hashed == []
    await room.service.verify(token)
    assert await room.service.verify(token, known_only=True) == KeyOwner("ann", key.id)
    await room.service.revoke(key.id, HERE)
    assert await room.service.verify(token, known_only=True) is None


async def test_the_last_use_is_written_at_most_once_a_minute(room: KeysRoom, hashed: list[str]) -> None:
    key, token = await room.service.create(draft(), HERE)

    async def used() -> float | None:
        (found,) = await room.service.listed(HERE)
        return found.last_used_at

    assert await used() is None
    await room.service.verify(token)
    first = room.clock.now()
    assert await used() == first
    room.clock.move(59)
    await room.service.verify(token)
    assert await used() == first
    room.clock.move(1)
    await room.service.verify(token)
    assert await used() == first + 60
    late = room.clock.now()
    await room.db.write(lambda c: store.used(c, "default", key.id, late + 5, 60))
    assert await used() == late


async def test_whether_any_key_opens_anything_is_known(room: KeysRoom, hashed: list[str]) -> None:
    assert not await room.service.reader.has_live()
    key, _token = await room.service.create(draft(expires_in_s=10), HERE)
    assert await room.service.reader.has_live()
    room.clock.move(10)
    assert not await room.service.reader.has_live()
    second, _token = await room.service.create(draft(), HERE)
    assert await room.service.reader.has_live()
    await room.service.revoke(second.id, HERE)
    assert not await room.service.reader.has_live()
    assert [one.id for one in await room.service.listed(HERE)] == [second.id, key.id]
