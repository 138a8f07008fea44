from __future__ import annotations

import re

import pytest
from pydantic import BaseModel, ValidationError

from akili_cli.domain.ids import new_uuid
from akili_cli.gateways.http.shapes.fields import UUID_PATTERN, NoWorkflow, filled_in


class Body(BaseModel):
    text: str | None = None
    number: float | None = None
    flag: bool | None = None
    names: tuple[str, ...] | None = None
    limit: NoWorkflow = 0


def test_empty_texts_and_zeros_and_what_is_not_there_change_nothing() -> None:
    given = Body(text="", number=0.0, flag=False, names=())
    assert filled_in(given) == {"flag": False, "names": ()}
    assert filled_in(Body(text="x", number=1.5, flag=None), without=frozenset({"text"})) == {"number": 1.5}


@pytest.mark.parametrize("limit", [1, -1])
def test_a_limit_of_workflows_says_why_it_is_refused(limit: int) -> None:
    with pytest.raises(ValidationError, match="no workflows"):
        Body(limit=limit)


def test_an_id_is_a_whole_uuid_in_small_letters() -> None:
    assert re.fullmatch(UUID_PATTERN, new_uuid())
    for other in (new_uuid().upper(), new_uuid()[:8], f"{{{new_uuid()}}}", "nightly"):
        assert not re.fullmatch(UUID_PATTERN, other)
