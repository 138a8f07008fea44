from __future__ import annotations

import pytest

from tests.unit.cli.conftest import Say


def test_nothing_waits_in_a_new_workspace(akili: Say) -> None:
    said = akili("approvals", "list")
    assert (said.code, said.out, said.err) == (0, "", "nothing waits for approval\n")
    assert akili("approvals", "list", "--all", "--json").json == []


@pytest.mark.parametrize("verb", ["show", "approve", "deny"])
def test_what_is_not_there_is_not_found(akili: Say, verb: str) -> None:
    said = akili("approvals", verb, "abcd")
    assert (said.code, said.out) == (1, "")
    assert "no approval 'abcd'" in said.err


@pytest.mark.parametrize("arguments", [(), ("show",), ("nosuch",)], ids=str)
def test_wrong_words_are_usage(akili: Say, arguments: tuple[str, ...]) -> None:
    assert akili("approvals", *arguments).code in (0, 64)


def test_listing_leaves_no_record(akili: Say) -> None:
    akili("approvals", "list")
    assert akili("audit", "tail").err == "no records\n"
