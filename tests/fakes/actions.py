"""Actions for tests of policy: everything defaulted, only what a test is about named."""

from __future__ import annotations

from akili_cli.core.policy.model import Action
from akili_cli.domain.calls import Principal, Run, Source
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.risk import Risk


def command(*argv: str, wrappers: tuple[str, ...] = ()) -> Command:
    name = argv[0].rsplit("/", 1)[-1]
    return Command(name, argv, argv[0] if "/" in argv[0] else f"/usr/bin/{name}", wrappers)


def run_of(
    user: str = "ann",
    *,
    agent: str | None = None,
    source: Source = Source.CLI,
    untrusted: tuple[str, ...] = (),
    autonomous: bool = False,
    read_only: bool = False,
    skill: str | None = None,
) -> Run:
    return Run(
        id="run-1",
        principal=Principal(user, source, agent),
        correlation_id="c" * 16,
        untrusted=untrusted,
        autonomous=autonomous,
        read_only=read_only,
        skill=skill,
    )


def action(
    tool: str = "shell_exec",
    effects: Effects = Effects(),
    *,
    permission: str | None = None,
    risk: Risk = Risk.HIGH,
    read_only: bool = False,
    role: str | None = "operator",
    run: Run | None = None,
    at: float = 1_771_300_000.0,
) -> Action:
    return Action(tool, permission or tool, risk, read_only, effects, run or run_of(), role, at)
