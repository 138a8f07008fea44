from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import RateLimitedError, UnauthorizedError
from akili_cli.features.keys import service as room_service
from akili_cli.gateways.http.auth import Authenticator, Caller, caller
from akili_cli.gateways.http.static_keys import open_static_keys
from tests.fakes.edge import ANN_KEY
from tests.fakes.keys import KeysRoom, draft, keys_room

HERE = Principal("root", Source.CLI)
PEER = "192.0.2.7"
WRONG = "akili_00000000_" + "a" * 43


class Door:
    def __init__(self, room: KeysRoom) -> None:
        self.room = room
        static = open_static_keys({ANN_KEY: "ann"}, {}, resolve=str, register=room.redactor.register)
        self.authenticator = Authenticator(static, room.service, room.clock, "default")
        self.hashes = 0

    async def knock(self, token: str, peer: str = PEER) -> Caller:
        return await self.authenticator.authenticate(f"Bearer {token}", peer)

    async def guess(self, times: int, peer: str = PEER) -> int:
        """Give how many wrong keys were tried before the brake."""
        for count in range(times):
            try:
                await self.knock(WRONG, peer)
            except UnauthorizedError:
                continue
            except RateLimitedError:
                return count
        return times


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    db = await open_sqlite(tmp_path / "a.db")
    async with keys_room(db, tmp_path) as room:
        opened = Door(room)

        def quick(secret: str, salt: str) -> str:
            opened.hashes += 1
            return f"{salt}{secret}".encode().hex()

        monkeypatch.setattr(room_service, "hash_of", quick)
        yield opened
    await db.close()


async def test_a_configured_and_a_kept_key_both_say_who_it_is(door: Door) -> None:
    key, token = await door.room.service.create(draft("ben"), HERE)
    assert await door.knock(ANN_KEY) == Caller(Principal("ann", Source.HTTP, org="default"), "config-1")
    assert await door.knock(token) == Caller(Principal("ben", Source.HTTP, org="default"), key.id)


async def test_the_scheme_may_be_written_in_any_case(door: Door) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await door.authenticator.authenticate(f"{scheme} {ANN_KEY}", PEER)).principal.user == "ann"


OTHER_HEADERS = (
    None,
    "",
    "Bearer",
    "Bearer ",
    ANN_KEY,
    f"Basic {ANN_KEY}",
    f"Bearer  {ANN_KEY}",
    f"Bearer\t{ANN_KEY}",
    f" Bearer {ANN_KEY}",
    f"Bearer {ANN_KEY} ",
    f"Bearer {ANN_KEY},{ANN_KEY}",
    f"Bearer {ANN_KEY} x",
    f"Bearer {ANN_KEY}\x00",
    f"Bearer {ANN_KEY}\xff",
    f'Bearer "{ANN_KEY}"',
    f"Bearer {ANN_KEY.lower()}",
    "Bearer " + "x" * 513,
)


async def test_every_other_header_is_refused_alike(door: Door) -> None:
    for header in OTHER_HEADERS:
        with pytest.raises(UnauthorizedError) as caught:
            await door.authenticator.authenticate(header, PEER)
        assert ANN_KEY not in f"{caught.value} {caught.value.hint}"


async def test_an_unknown_a_revoked_and_a_wrong_key_are_refused_in_the_same_words(door: Door) -> None:
    key, token = await door.room.service.create(draft("ben"), HERE)
    said = set()
    await door.room.service.revoke(key.id, HERE)
    for wrong in (token, token[:-2] + "zz", WRONG, "something-else-entirely"):
        with pytest.raises(UnauthorizedError) as caught:
            await door.knock(wrong)
        said.add((str(caught.value), caught.value.hint))
    assert len(said) == 1


async def test_a_peer_that_guesses_is_slowed_down_and_told_when_to_come_again(door: Door) -> None:
    assert await door.guess(20) == 10
    with pytest.raises(RateLimitedError) as caught:
        await door.knock(WRONG)
    assert 0 < caught.value.retry_after_s <= 6
    before = door.hashes
    assert await door.guess(20) == 0
    assert door.hashes == before
    assert await door.guess(1, "192.0.2.8") == 1
    door.room.clock.move(6)
    assert await door.guess(5) == 1


async def test_addresses_of_one_network_guess_together(door: Door) -> None:
    assert await door.guess(6, "2001:db8::1") == 6
    assert await door.guess(6, "2001:db8::2") == 4


async def test_a_guessing_neighbour_does_not_lock_out_who_was_let_in_before(door: Door) -> None:
    _key, known = await door.room.service.create(draft("ben"), HERE)
    key, revoked = await door.room.service.create(draft("ben"), HERE)
    await door.knock(known)
    await door.knock(revoked)
    await door.guess(20)
    assert (await door.knock(ANN_KEY)).principal.user == "ann"
    assert (await door.knock(known)).principal.user == "ben"
    await door.room.service.revoke(key.id, HERE)
    with pytest.raises(RateLimitedError):
        await door.knock(revoked)


async def test_good_keys_use_up_nothing(door: Door) -> None:
    for _ in range(12):
        _key, token = await door.room.service.create(draft("ben"), HERE)
        await door.knock(token)
    assert await door.guess(20) == 10


def test_a_route_without_a_caller_refuses() -> None:
    with pytest.raises(UnauthorizedError):
        caller(Request({"type": "http", "headers": [], "state": {}}))
    with pytest.raises(UnauthorizedError):
        caller(Request({"type": "http", "headers": [], "state": {"caller": "ann"}}))
    who = Caller(Principal("ann", Source.HTTP), "k")
    assert caller(Request({"type": "http", "headers": [], "state": {"caller": who}})) is who
