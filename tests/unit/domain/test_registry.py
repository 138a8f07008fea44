from __future__ import annotations

import pytest

from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.registry import Registry


def test_a_name_is_imported_when_it_is_asked_for() -> None:
    registry = Registry("thing", {"a": "akili_cli.domain.risk:Risk", "b": "nosuch.module:Thing"})
    assert registry.names() == ("a", "b")
    assert getattr(registry.load("a"), "__name__", "") == "Risk"


@pytest.mark.parametrize("name", ["", "c", "akili_cli.domain.risk:Risk", "os:system"])
def test_only_names_of_the_table_are_loaded(name: str) -> None:
    with pytest.raises(NotFoundError, match="no thing named") as caught:
        Registry("thing", {"a": "akili_cli.domain.risk:Risk"}).load(name)
    assert caught.value.hint == "known: a"
