from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from akili_cli.domain.ids import is_uuid, new_approval_id, new_correlation_id, new_uuid


def test_ids_have_their_forms_and_never_repeat() -> None:
    for make, form in (
        (new_uuid, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        (new_correlation_id, r"[0-9a-f]{16}"),
        (new_approval_id, r"[0-9a-f]{32}"),
    ):
        made = {make() for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch(form, one) for one in made)


def test_threads_never_draw_the_same_bytes() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_uuid(), range(5000)))
    assert len(set(made)) == 5000
    assert all(is_uuid(one) for one in made)


def test_a_child_process_draws_its_own() -> None:
    new_uuid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_uuid().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    theirs = os.read(reading, 64).decode()
    os.close(reading)
    assert is_uuid(theirs)
    assert theirs not in {new_uuid() for _ in range(600)}


def test_a_uuid_is_one_in_its_canonical_form() -> None:
    assert is_uuid(new_uuid())
    assert is_uuid(new_uuid().upper())


@pytest.mark.parametrize("text", ["", "x", "{12345678-1234-4234-8234-123456789012}", "1" * 32, "urn:uuid:" + "1" * 32])
def test_anything_else_is_none(text: str) -> None:
    assert not is_uuid(text)
