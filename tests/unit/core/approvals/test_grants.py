from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.approvals.grants import Asked, GrantBook, describe_pattern, grantable, pattern_of
from akili_cli.core.approvals.model import NO_OFFER, AnswerKind
from akili_cli.domain.decisions import BUILT_IN, Decision, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError
from akili_cli.domain.risk import Risk
from tests.fakes.actions import command
from tests.fakes.clock import FakeClock


def asked(effects: Effects, risk: Risk = Risk.HIGH, tool: str = "shell_exec") -> Asked:
    decision = Decision(Verdict.ASK, risk, (RuleHit("ask", BUILT_IN, Verdict.ASK, "it asks"),))
    return Asked("ann", "conv", tool, "d" * 64, effects, decision)


@pytest.mark.parametrize(
    ("effects", "pattern"),
    [
        (Effects(commands=(command("systemctl", "restart", "nginx"),)), {"commands": ["systemctl restart"]}),
        (Effects(commands=(command("kill", "12"),)), {"commands": ["kill"]}),
        (Effects(writes=("/srv/a/x", "/srv/a/y")), {"writes": ["/srv/a"]}),
        (Effects(writes=("/x",)), {"writes": ["/x"]}),
        (Effects(hosts=("a.example:443",)), {"hosts": ["a.example:443"]}),
    ],
    ids=["verb", "no-verb", "directory", "never-the-root", "host"],
)
def test_a_pattern_says_what_it_covers(effects: Effects, pattern: dict[str, list[str]]) -> None:
    found = pattern_of(asked(effects))
    assert not isinstance(found, str)
    assert {kind: values for kind, values in found.items() if values} == pattern


@pytest.mark.parametrize("program", ["sh", "python3", "sudo", "env", "xargs", "find", "git", "awk", "ssh"])
def test_a_program_that_can_run_anything_gets_no_pattern(program: str) -> None:
    assert pattern_of(asked(Effects(commands=(command(program, "x"),)))) == f"{program} can run anything"


@asynccontextmanager
async def book_in(directory: Path, *secrets: str) -> AsyncIterator[GrantBook]:
    redactor = Redactor()
    for secret in secrets:
        redactor.register(secret, "a secret")
    db = await open_sqlite(directory / "akili.db")
    try:
        yield GrantBook(db, "default", FakeClock(), 60.0, redactor)
    finally:
        await db.close()


async def test_nothing_stands_for_critical_or_unknowable_calls(tmp_path: Path) -> None:
    effects = Effects(writes=("/srv/x",))
    assert grantable(asked(effects)) is None
    assert grantable(asked(effects, Risk.CRITICAL)) is not None
    assert grantable(asked(replace(effects, opaque="eval"))) is not None
    async with book_in(tmp_path) as book:
        assert book.offer(asked(effects, Risk.CRITICAL)) == NO_OFFER


async def test_an_offer_prints_the_pattern(tmp_path: Path) -> None:
    async with book_in(tmp_path) as book:
        offer = book.offer(asked(Effects(writes=("/srv/a/x",)), tool="file_write"))
    assert offer.pattern == describe_pattern("file_write", {"writes": ["/srv/a"]}) == "file_write: writes /srv/a"


SECRET = "Zq8-correct-horse"
SHAPE = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.mark.parametrize(
    "effects",
    [
        Effects(writes=(f"/srv/{SECRET}/x",)),
        Effects(reads=("/srv/a/x",), writes=("/srv/a/x",), deletes=(f"/srv/{SHAPE}/x",)),
        Effects(hosts=(f"{SECRET}.example:443",)),
        Effects(hosts=(f"{SECRET.lower()}.example:443",)),
        Effects(commands=(command(SECRET, "restart"),)),
        Effects(commands=(command("deploy", "zq8-correct-horse"),)),
        Effects(writes=(f"/srv/{base64.b64encode(SECRET.encode()).decode()}/x",)),
    ],
    ids=["directory", "shape", "host", "lower-case", "program", "verb", "base64"],
)
async def test_a_pattern_never_stores_a_secret(effects: Effects, tmp_path: Path) -> None:
    async with book_in(tmp_path, SECRET) as book:
        assert book.offer(asked(effects)).pattern is None
        assert book.offer(asked(effects)).session is not None
        with pytest.raises(ConflictError, match="holds a secret") as caught:
            await book.give(AnswerKind.PATTERN, asked(effects), approval_id="a", by="ann")
        assert SECRET.lower() not in str(caught.value).lower()
        await book.give(AnswerKind.SESSION, asked(effects), approval_id="a", by="ann")
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("akili.db*"))
    assert SECRET.lower().encode() not in stored.lower()
    assert SHAPE.encode() not in stored
