"""Asks policy about calls that nobody makes: what would be decided, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from akili_cli.core.execution.understanding import understand
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Action
from akili_cli.core.policy.reach import World
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, Run, Source, ToolCall
from akili_cli.domain.decisions import Decision

DEFAULT_USER = "cli-user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call with everything that policy looks at. ``at`` (epoch seconds) None means now."""

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    user: str = DEFAULT_USER
    agent: str | None = None
    source: Source = Source.CLI
    org: str = "default"
    untrusted: tuple[str, ...] = ()
    read_only: bool = False
    autonomous: bool = False
    skill: str | None = None
    at: float | None = None

    def run(self) -> Run:
        """Give the run the call would belong to."""
        return Run(
            id="rehearsal",
            principal=Principal(self.user, self.source, self.agent, self.org),
            correlation_id="rehearsal",
            untrusted=self.untrusted,
            autonomous=self.autonomous,
            read_only=self.read_only,
            skill=self.skill,
        )

    def call(self) -> ToolCall:
        """Give the call."""
        return ToolCall("rehearsal", self.tool, self.arguments)


@dataclass(frozen=True, slots=True)
class Judge:
    """Policy with the tools that tell it what calls would do; nothing is ever run."""

    tools: ToolBox
    rules: RuleSet
    role_of: Callable[[Principal], str | None]
    now: Callable[[], float]
    world: World

    def action(self, asked: Asked) -> Action:
        """Understand a call; raises ``InvalidArgumentsError``."""
        run = asked.run()
        at = self.now() if asked.at is None else asked.at
        return understand(self.tools, asked.call(), run, role=self.role_of(run.principal), at=at).action

    def decide(self, asked: Asked) -> Decision:
        """Rule on a call; raises ``InvalidArgumentsError``."""
        return decide(self.action(asked), self.rules)
