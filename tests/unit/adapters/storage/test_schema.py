from __future__ import annotations

from akili_cli.adapters.storage.schema import STEPS, columns_of, table_names


def test_steps_have_distinct_ordered_names() -> None:
    names = [step.name for step in STEPS]
    assert names == sorted(set(names))


def test_only_new_columns_that_allow_null_are_added() -> None:
    kinds = [kind for step in STEPS for columns in step.columns.values() for kind in columns.values()]
    assert all(kind.endswith("?") for kind in kinds)


def test_a_table_is_known_with_the_columns_that_came_later() -> None:
    assert "budgets" in table_names()
    assert columns_of("budgets")["spent_tokens"] == "bigint?"
    assert columns_of("nothing") == {}
