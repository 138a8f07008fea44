"""When a run must stop: too many steps, the same call over and over, the same refusal twice."""

from __future__ import annotations

import hashlib
from collections import Counter

from akili_cli.core.agent.settings import AgentSettings
from akili_cli.domain.calls import Status, StepResult, canonical_json


class Guards:
    """Counts what a run does; ``stop`` says why it must end, or nothing."""

    def __init__(self, settings: AgentSettings) -> None:
        """Start counting."""
        self._settings = settings
        self._steps = 0
        self._seen: Counter[str] = Counter()
        self._denied: Counter[str] = Counter()
        self.stop: str | None = None
        self.denied_again = False

    @property
    def steps_left(self) -> int:
        """How many more calls this run may make."""
        return self._settings.max_steps - self._steps

    def note(self, step: StepResult) -> None:
        """Count one finished step."""
        self._steps += 1
        call = hashlib.sha256(canonical_json([step.call.name, step.call.arguments]).encode()).hexdigest()
        if step.status is Status.DENIED:
            self._denied[call] += 1
            if self._denied[call] > 1:
                self.stop = f"{step.call.name} was refused twice for the same call; the run ends here"
                self.denied_again = True
        result = hashlib.sha256(step.text.encode("utf-8", "surrogatepass")).hexdigest()
        self._seen[call + result] += 1
        if self._seen[call + result] >= self._settings.max_repeats and self.stop is None:
            self.stop = f"{step.call.name} gave the same result {self._settings.max_repeats} times; the run ends here"
        if self.steps_left <= 0 and self.stop is None:
            self.stop = f"the run reached its limit of {self._settings.max_steps} tool calls (agent.max_steps)"
