from __future__ import annotations

import pytest

from akili_cli.domain.calls import Principal, Run
from akili_cli.domain.ports import NO_TRACER, NoKnowledge


async def test_no_knowledge_knows_nothing() -> None:
    assert await NoKnowledge().relevant("anything", Run("r", Principal("ann"), "c")) == ()


def test_no_tracer_follows_nothing_and_hides_no_error() -> None:
    with NO_TRACER.span("a", {"b": 1}, kind="server", parent="00-x") as span:
        span.set({"c": 2})
        span.fail("timeout")
    with pytest.raises(ZeroDivisionError), NO_TRACER.span("a"):
        raise ZeroDivisionError
