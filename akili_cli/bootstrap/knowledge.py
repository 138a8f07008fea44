"""Hands the runbooks that fit a message to the agent, as far as policy lets this user use them."""

from __future__ import annotations

from dataclasses import replace

from akili_cli.config.settings import RunbooksSettings
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Run
from akili_cli.features.runbooks.service import RunbookService


class RunbookKnowledge:
    """Matches runbooks and leaves out those whose skill is denied."""

    def __init__(self, runbooks: RunbookService, settings: RunbooksSettings, pipeline: Pipeline) -> None:
        """Keep the parts."""
        self._runbooks = runbooks
        self._settings = settings
        self._pipeline = pipeline

    async def relevant(self, message: str, run: Run) -> tuple[str, ...]:
        """Give the bodies of the runbooks that fit, best first."""
        matches = await self._runbooks.match(
            message, limit=self._settings.max_matches, threshold=self._settings.match_threshold
        )
        return tuple(
            self._runbooks.show(match.slug).body
            for match in matches
            if self._pipeline.may_play(replace(run, skill=match.slug))
        )
