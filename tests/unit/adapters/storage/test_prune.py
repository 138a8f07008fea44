from __future__ import annotations

from akili_cli.adapters.storage.prune import KEPT, RULES
from akili_cli.adapters.storage.schema import columns_of, table_names


def test_every_table_is_pruned_or_kept_for_a_reason() -> None:
    pruned = [rule.table for rule in RULES] + [table for rule in RULES for table, _ in rule.parts]
    assert sorted([*pruned, *KEPT]) == sorted(table_names())
    assert all(KEPT.values())


def test_the_audit_is_never_pruned() -> None:
    assert {"audit_events", "audit_streams"} <= KEPT.keys()


def test_every_rule_names_columns_that_exist() -> None:
    for rule in RULES:
        assert ("org_id" in columns_of(rule.table)) is rule.of_an_organisation, rule.table
        for table, column in rule.parts:
            assert column in columns_of(table)
            assert "id" in columns_of(rule.table)
