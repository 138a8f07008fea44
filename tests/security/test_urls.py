from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.net.addresses import blocked
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.errors import InvalidArgumentsError

CORPUS = Path(__file__).parent / "corpora" / "urls.txt"
CASES = [
    line.split(" ", 1) for line in CORPUS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
]


def verdict_on(url: str) -> str:
    try:
        target = parse_url(url)
    except InvalidArgumentsError:
        return "refused"
    return "blocked" if target.is_address and blocked(target.host) else target.authority


@pytest.mark.parametrize(("verdict", "text"), CASES, ids=[case[1] for case in CASES])
def test_each_url_of_the_corpus_has_its_verdict(verdict: str, text: str) -> None:
    assert verdict_on(json.loads(text)) == verdict


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 100


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="htps:/.@%[]\\#?0x17fa-_*&é１。\t\x00\u202e", max_size=40))
def test_whatever_is_read_is_read_the_same_again(tail: str) -> None:
    try:
        target = parse_url(f"http://{tail}")
    except InvalidArgumentsError:
        return
    assert parse_url(target.url) == target
    assert target.url.isascii()
    assert not any(c in target.host for c in "@/\\?#%[]")
