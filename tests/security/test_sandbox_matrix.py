from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from tests.security.sandbox_attack_list import ATTACKS
from tests.security.sandbox_matrix import COLUMNS, LAYER_OF, OWNER, expected, run_as, table

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's"),
    pytest.mark.timeout(300),
]
WHO = [0, 1000] if os.geteuid() == 0 else [os.geteuid()]


@pytest.mark.parametrize("uid", WHO)
def test_every_attack_is_stopped_and_a_missing_layer_opens_exactly_what_it_stops_and_says_so(
    uid: int, record_property: Callable[[str, object], None]
) -> None:
    matrix, said = run_as(uid)
    record_property("print", f"\nuid {uid}\n{table(matrix)}")
    reached = {name for name, row in matrix.items() if row["none"]}
    assert len(matrix) >= 100
    assert len(reached) >= 80, "attacks that a plain process cannot do say nothing"
    assert (OWNER in said) is (uid == 0)
    for column, layers in said.items():
        without = COLUMNS.get(column, frozenset())
        open_ = {name for name, row in matrix.items() if row.get(column)}
        assert open_ == {a.name for a in ATTACKS if a.name in reached and expected(a, without)}, column
        changed = {name for name, text in layers.items() if text != said["full"][name]}
        assert changed - {"identity"} == {layer for step in without for layer in LAYER_OF.get(step, ())}, column
        for attack in ATTACKS:
            if attack.name in open_:
                announcing = {layer for step in attack.stopped_by for layer in LAYER_OF[step]}
                assert announcing <= changed, f"{attack.name} is open in {column} and not announced"


def test_nothing_is_expected_to_be_open_in_the_full_mode() -> None:
    assert not [attack.name for attack in ATTACKS if expected(attack, COLUMNS["full"])]
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
