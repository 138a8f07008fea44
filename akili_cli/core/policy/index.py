"""Finds the few rules that could speak to an action among many, without asking each."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from akili_cli.core.policy.model import Action, Condition, Match, Rule
from akili_cli.domain.effects import Command
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.domain.paths import with_ancestors

Compiled = tuple[Rule, tuple[Condition, ...]]
Key = tuple[str, str]


class RuleIndex:
    """Files each rule under its most selective field: program, host, path, user, agent or tool; the rest under none.

    A rule that an action could match is always among its candidates; an opaque action gets every rule.
    """

    def __init__(self, compiled: Iterable[Compiled]) -> None:
        """File the rules; their order is kept in the answers."""
        self._all = tuple(compiled)
        self._rest: list[int] = []
        self._filed: dict[Key, list[int]] = {}
        for number, (rule, _tests) in enumerate(self._all):
            keys = _keys_of(rule.match)
            if not keys:
                self._rest.append(number)
            for key in keys:
                self._filed.setdefault(key, []).append(number)

    def candidates(self, action: Action) -> Iterable[Compiled]:
        """Give every rule that could match."""
        if action.effects.opaque is not None:
            return self._all
        filed = self._filed
        numbers = set(self._rest)
        for key in _keys_in(action):
            if key in filed:
                numbers.update(filed[key])
        return [self._all[number] for number in sorted(numbers)]


def _keys_of(match: Match) -> list[Key]:
    if match.commands:
        return [("program", PurePosixPath(shlex.split(text)[0]).name) for text in match.commands]
    if match.domains:
        return [("host", _pattern_host(pattern)) for pattern in match.domains]
    roots = match.paths or match.writes or match.deletes or match.reads
    if roots:
        above = {("above", place) for root in roots for place in with_ancestors(root)}
        return [*(("path", root) for root in roots), *above]
    for kind, names in (("user", match.users), ("agent", match.agents), ("tool", match.tools)):
        if names:
            return [(kind, name) for name in names]
    return []


def _keys_in(action: Action) -> Iterable[Key]:
    principal = action.run.principal
    yield ("tool", action.tool)
    yield ("user", principal.user)
    if principal.agent is not None:
        yield ("agent", principal.agent)
    for command in action.effects.commands:
        for name in (*program_names(command), *command.wrappers):
            yield ("program", name)
    for path in action.paths:
        yield ("above", path)
        for place in with_ancestors(path):
            yield ("path", place)
    for host in action.effects.hosts:
        name = _pattern_host(host)
        while name:
            yield ("host", name)
            name = name.partition(".")[2]


def program_names(command: Command) -> set[str]:
    """Give every base name a command goes by: as typed, as it resolves, and the file's own."""
    names = {command.program}
    if command.path is not None:
        names.add(PurePosixPath(command.path).name)
    if command.argv:
        names.add(PurePosixPath(command.argv[0]).name)
    return names


def _pattern_host(pattern: str) -> str:
    if pattern.startswith("unix:"):
        return pattern
    name = split_host(pattern)[0].removeprefix("*.")
    return host_name(name) or name
