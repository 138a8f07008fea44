from __future__ import annotations

import pytest

from akili_cli.domain.calls import Principal, Source, call_digest, canonical_json

ANN = Principal("ann")


def test_canonical_json_does_not_depend_on_order_or_spaces() -> None:
    assert canonical_json({"b": [1, {"d": 1, "c": 2}], "a": "\u00fc"}) == '{"a":"\\u00fc","b":[1,{"c":2,"d":1}]}'


def test_the_digest_does_not_depend_on_the_order_of_arguments_or_the_entry_point() -> None:
    one = call_digest(ANN, "t", {"a": 1, "b": 2})
    assert one == call_digest(Principal("ann", Source.HTTP, "bot"), "t", {"b": 2, "a": 1})
    assert len(one) == 64


@pytest.mark.parametrize(
    ("principal", "name", "arguments"),
    [
        (Principal("ben"), "t", {"a": 1}),
        (Principal("ann", org="other"), "t", {"a": 1}),
        (ANN, "u", {"a": 1}),
        (ANN, "t", {"a": 2}),
        (ANN, "t", {"a": "1"}),
        (ANN, "t", {"a": True}),
        (ANN, "t", {"a": 1, "b": None}),
        (ANN, "t", {}),
        (ANN, 't",{"a":1}]', {}),
    ],
    ids=repr,
)
def test_any_other_call_has_another_digest(principal: Principal, name: str, arguments: dict[str, object]) -> None:
    assert call_digest(principal, name, arguments) != call_digest(ANN, "t", {"a": 1})
