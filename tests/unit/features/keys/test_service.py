from __future__ import annotations

from dataclasses import replace

from akili_cli.features.keys.service import MAX_PROVEN, Proofs
from tests.unit.features.keys.test_model import KEY


def test_a_proof_holds_for_this_very_hash_and_secret() -> None:
    proofs = Proofs()
    assert not proofs.knows(KEY, "s")
    proofs.keep(KEY, "s")
    assert proofs.knows(KEY, "s")
    assert not proofs.knows(KEY, "t")
    assert not proofs.knows(replace(KEY, hash="fe"), "s")
    assert not Proofs().knows(KEY, "s")


def test_proofs_are_bounded_and_the_longest_unused_goes_first() -> None:
    proofs = Proofs()
    rows = [replace(KEY, hash=f"{number:04x}") for number in range(MAX_PROVEN + 1)]
    for row in rows[:-1]:
        proofs.keep(row, "s")
    assert proofs.knows(rows[0], "s")
    proofs.keep(rows[-1], "s")
    assert proofs.knows(rows[0], "s")
    assert not proofs.knows(rows[1], "s")
    assert len(proofs._kept) == MAX_PROVEN


def test_nothing_that_is_kept_shows_a_secret() -> None:
    proofs = Proofs()
    proofs.keep(KEY, "the-secret")
    assert "the-secret" not in repr(proofs)
    assert all(b"the-secret" not in kept for kept in proofs._kept.values())
