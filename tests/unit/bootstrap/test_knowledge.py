from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.knowledge import RunbookKnowledge
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Run
from akili_cli.domain.decisions import BUILT_IN, Verdict

RUN = Run("r", Principal("ann"), "c")


async def test_runbooks_that_fit_are_given_and_denied_ones_are_not(tmp_path: Path) -> None:
    async with open_state(Start(dict(os.environ), tmp_path)) as state, open_app(state) as app:
        await app.runbooks.sync()
        settings = state.loaded.settings.runbooks
        knowledge = RunbookKnowledge(app.runbooks, settings, app.pipeline)
        found = await knowledge.relevant("service health check of this host", RUN)
        assert found
        nothing = Rule("no-runbooks", BUILT_IN, Verdict.DENY, Match(unless_skills=("other",)), "none")
        strict = replace(app.pipeline, rules=RuleSet((*app.pipeline.rules.rules, nothing)))
        assert await RunbookKnowledge(app.runbooks, settings, strict).relevant("service health check", RUN) == ()
        assert await knowledge.relevant("zzzz qqqq", RUN) == ()
