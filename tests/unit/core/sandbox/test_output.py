from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.sandbox.output import HeadTail


def collected(pieces: list[bytes], cap: int) -> HeadTail:
    kept = HeadTail(cap)
    for piece in pieces:
        kept.add(piece)
    return kept


def test_output_below_the_cap_is_whole() -> None:
    kept = collected([b"a" * 500, b"b" * 524], 1024)
    assert kept.content() == b"a" * 500 + b"b" * 524
    assert not kept.truncated


@given(st.lists(st.binary(max_size=400), max_size=30), st.integers(1024, 2048))
def test_the_cap_holds_and_head_and_tail_are_true(pieces: list[bytes], cap: int) -> None:
    whole = b"".join(pieces)
    content = collected(pieces, cap).content()
    assert len(content) <= cap
    if len(whole) > cap:
        half = (cap - 64) // 2
        assert content.startswith(whole[:half])
        assert content.endswith(whole[-half:])
        assert b"[akili: %d bytes left out]" % (len(whole) - 2 * half) in content
    else:
        assert content == whole


@pytest.mark.parametrize("piece", [1, 1000, 65536], ids=["bytes", "lines", "pieces"])
def test_memory_stays_bounded(piece: int) -> None:
    kept = HeadTail(1024)
    for _ in range(3000):
        kept.add(b"x" * piece)
        assert len(kept._head) + len(kept._tail) <= 1024 * 2 + 64
