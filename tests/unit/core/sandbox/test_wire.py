from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.sandbox import wire

FIELDS = st.dictionaries(st.text(max_size=8), st.lists(st.binary(max_size=20), max_size=4), max_size=4)


@given(FIELDS)
def test_what_is_packed_comes_back(fields: dict[str, list[bytes]]) -> None:
    assert wire.unpack(wire.pack(fields)[4:]) == fields


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_value_error(body: bytes) -> None:
    try:
        assert isinstance(wire.unpack(body), dict)
    except ValueError:
        return


def test_a_message_is_read_from_a_pipe() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, wire.pack({"a": [b"1", b""]}))
    assert wire.read(ours) == {"a": [b"1", b""]}
    os.write(theirs, b"\x09\0\0\0abc")
    os.close(theirs)
    with pytest.raises(ValueError, match="early"):
        wire.read(ours)
    os.close(ours)


def test_a_message_over_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        wire.pack({"a": [bytes(wire.MAX_BYTES)]})
    ours, theirs = os.pipe()
    os.write(theirs, b"\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="too big"):
        wire.read(ours)
    os.close(ours)
    os.close(theirs)
