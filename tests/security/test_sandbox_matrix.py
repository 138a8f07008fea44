from __future__ import annotations

import os
import sys

import pytest

from tests.security.sandbox_matrix import ATTACKS, COLUMNS, expected, run_as, table

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's"),
    pytest.mark.timeout(300),
]
WHO = [0, 1000] if os.geteuid() == 0 else [os.geteuid()]


@pytest.mark.parametrize("uid", WHO)
def test_every_attack_is_stopped_and_a_missing_layer_opens_exactly_what_it_stops(uid: int) -> None:
    matrix, said = run_as(uid)
    sys.stdout.write(f"\nuid {uid}\n{table(matrix)}\n")
    reached = {name for name, row in matrix.items() if row["none"]}
    assert len(matrix) >= 40
    assert len(reached) >= 40, "attacks that a plain process cannot do say nothing"
    for column, without in COLUMNS.items():
        open_ = {name for name, row in matrix.items() if row.get(column)}
        wanted = {a.name for a in ATTACKS if a.name in reached and expected(a, without)}
        assert open_ == wanted, column
        assert (said[column] != said["full"]) is bool(without), f"{column} is not announced"


def test_nothing_is_expected_to_be_open_in_the_full_mode() -> None:
    assert not [attack.name for attack in ATTACKS if expected(attack, COLUMNS["full"])]
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
