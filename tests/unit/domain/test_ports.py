from __future__ import annotations

from akili_cli.domain.calls import Principal, Run
from akili_cli.domain.ports import NoKnowledge


async def test_no_knowledge_knows_nothing() -> None:
    assert await NoKnowledge().relevant("anything", Run("r", Principal("ann"), "c")) == ()
