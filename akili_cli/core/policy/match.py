"""Turns a rule's ``Match`` into tests on an action: resolved paths, host labels, program and argument tokens."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from functools import lru_cache

from akili_cli.core.policy.diagnostics import is_system_program
from akili_cli.core.policy.index import program_names
from akili_cli.core.policy.model import EFFECT_KINDS, Action, Condition, Match
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.effects import Command
from akili_cli.domain.hosts import host_matches
from akili_cli.domain.paths import is_within_any, with_ancestors

_SINGLE: dict[str, Callable[[Action], str | None]] = {
    "tools": lambda action: action.tool,
    "permissions": lambda action: action.permission,
    "users": lambda action: action.run.principal.user,
    "roles": lambda action: action.role,
    "agents": lambda action: action.run.principal.agent,
    "sources": lambda action: str(action.run.principal.source),
    "skills": lambda action: action.run.skill,
}


def compile_match(match: Match, verdict: Verdict) -> tuple[Condition, ...]:
    """Give the tests that must all hold, cheapest first.

    An opaque action passes every effect test of a deny or ask rule and fails every allow rule.
    """
    tests = [*_who_and_what(match), *_effect_tests(match, verdict), *_unless_tests(match)]
    if match.condition is not None:
        tests.append(match.condition)
    if verdict is Verdict.ALLOW:
        tests.insert(0, lambda action: action.effects.opaque is None)
        if any((match.paths, match.reads, match.writes, match.deletes, match.commands, match.domains)):
            tests.append(_covers(match))
    return tuple(tests)


def _who_and_what(match: Match) -> Iterable[Condition]:
    for field, value in _SINGLE.items():
        names = getattr(match, field)
        if names:
            yield _one_of(names, value)
    if match.principals:
        bound = frozenset(match.principals)
        yield lambda a: not bound.isdisjoint((a.run.principal.user, a.role, a.run.principal.agent))
    yield from _when_tests(match)


def _when_tests(match: Match) -> Iterable[Condition]:
    if match.min_risk is not None:
        low = match.min_risk
        yield lambda a: a.risk >= low
    if match.max_risk is not None:
        high = match.max_risk
        yield lambda a: a.risk <= high
    if match.hours is not None:
        window = match.hours
        yield lambda a: window.contain(a.at)


def _one_of(names: tuple[str, ...], value: Callable[[Action], str | None]) -> Condition:
    wanted = frozenset(names)
    return lambda action: value(action) in wanted


def _effect_tests(match: Match, verdict: Verdict) -> Iterable[Condition]:
    some = all if verdict is Verdict.ALLOW else any
    if match.effects:
        kinds = match.effects
        yield _or_opaque(lambda a: any(getattr(a.effects, kind) for kind in kinds))
    for name in ("reads", "writes", "deletes"):
        roots = getattr(match, name)
        if roots:
            yield _or_opaque(_touches(verdict, _effect(name), roots))
    if match.paths:
        yield _or_opaque(_touches(verdict, lambda a: a.paths, match.paths))
    if match.commands:
        strict = verdict is Verdict.ALLOW
        patterns = tuple(parse_command_pattern(text) for text in match.commands)
        yield _or_opaque(_over(some, lambda a: a.effects.commands, lambda c: any(p(c, strict) for p in patterns)))
    if match.domains:
        yield _or_opaque(_over(some, lambda a: a.effects.hosts, _host_test(match.domains)))
    if match.nodes:
        wanted = frozenset(match.nodes)
        yield _or_opaque(_over(some, lambda a: a.effects.nodes, lambda node: node in wanted))


def _unless_tests(match: Match) -> Iterable[Condition]:
    if match.unless_tools is not None:
        tools = frozenset(match.unless_tools)
        yield lambda a: a.tool not in tools
    if match.unless_permissions is not None:
        permissions = frozenset(match.unless_permissions)
        yield lambda a: a.permission not in permissions
    if match.unless_skills is not None:
        skills = frozenset(match.unless_skills)
        yield lambda a: a.run.skill is not None and a.run.skill not in skills
    if match.unless_paths is not None:
        inside = _path_test(match.unless_paths)
        yield _or_opaque(lambda a: any(not inside(path) for path in a.paths))
    if match.unless_commands is not None:
        patterns = tuple(parse_command_pattern(text) for text in match.unless_commands)
        yield _or_opaque(lambda a: any(not any(p(command, True) for p in patterns) for command in a.effects.commands))
    if match.unless_domains is not None:
        known = _host_test(match.unless_domains)
        yield _or_opaque(lambda a: any(not known(host) for host in a.effects.hosts))


def _effect(name: str) -> Callable[[Action], tuple[str, ...]]:
    return lambda action: getattr(action.effects, name)


def _or_opaque(test: Condition) -> Condition:
    return lambda action: action.effects.opaque is not None or test(action)


def _over(
    quantifier: Callable[[Iterable[bool]], bool],
    values: Callable[[Action], tuple[object, ...]],
    test: Callable[..., bool],
) -> Condition:
    def holds(action: Action) -> bool:
        found = values(action)
        return bool(found) and quantifier(test(value) for value in found)

    return holds


def _touches(verdict: Verdict, values: Callable[[Action], tuple[str, ...]], roots: tuple[str, ...]) -> Condition:
    """Test paths against roots.

    A command that is given a directory may reach all below it, so a restriction also speaks to what lies above its
    roots; a tool that opens files itself touches exactly what it declares.
    """
    places = frozenset(roots)
    if verdict is Verdict.ALLOW:
        return _over(all, values, lambda path: is_within_any(path, places))
    above = frozenset(place for root in roots for place in with_ancestors(root))

    def holds(action: Action) -> bool:
        paths, tree = values(action), bool(action.effects.commands)
        return any(is_within_any(path, places) or (tree and path in above) for path in paths)

    return holds


def _path_test(roots: tuple[str, ...]) -> Callable[[str], bool]:
    places = frozenset(roots)
    return lambda path: is_within_any(path, places)


def _host_test(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda host: any(host_matches(host, pattern) for pattern in patterns)


def _covers(match: Match) -> Condition:
    """An allow rule that speaks of effects must speak of every changing effect of the call."""
    named = {
        "reads": True,
        "writes": bool(match.paths or match.writes),
        "deletes": bool(match.paths or match.deletes),
        "commands": bool(match.commands),
        "hosts": bool(match.domains),
        "nodes": bool(match.nodes),
    }
    unnamed = tuple(kind for kind in EFFECT_KINDS if not named.get(kind, False))
    return lambda action: not any(getattr(action.effects, kind) for kind in unnamed)


@lru_cache(maxsize=4096)
def parse_command_pattern(text: str) -> Callable[[Command, bool], bool]:
    """Read ``rm -rf`` or ``git push`` as a test of ``(command, strict)``; strict, a bare name is a system program.

    The first word names a program (base name, or a full path). Loose (deny, ask): every short or long option
    named is present in any order or cluster, and the other words appear in that order; a wrapper such as ``nice``
    means whatever it starts. Strict (allow): the words are exactly the first arguments.
    Raises ``ValueError`` for an empty or unbalanced pattern.
    """
    words = shlex.split(text)
    if not words:
        raise ValueError("a command pattern needs at least a program name")
    program, rest = words[0], tuple(words[1:])
    wrapper = program.rpartition("/")[2]
    options = frozenset().union(*(options_of(word) for word in rest)) if rest else frozenset()
    operands = tuple(word for word in rest if not word.startswith("-"))

    def test(command: Command, strict: bool) -> bool:
        wraps = not strict and wrapper in command.wrappers
        if not wraps and not _is_program(command, program, strict):
            return False
        arguments = command.argv if wraps else command.argv[1:]
        if strict:
            return arguments[: len(rest)] == rest
        present = frozenset().union(*(options_of(word) for word in arguments)) if arguments else frozenset()
        return options <= present and in_order(operands, arguments)

    return test


def _is_program(command: Command, program: str, strict: bool) -> bool:
    if "/" in program:
        return command.path == program or (not strict and command.argv[:1] == (program,))
    if strict:
        return command.program == program and is_system_program(command)
    return program in program_names(command)


def options_of(word: str) -> frozenset[str]:
    """Give the options a word stands for: each letter of a cluster, or a long option without its value."""
    if word.startswith("--"):
        return frozenset((word.partition("=")[0],)) if len(word) > len("--") else frozenset()
    if word.startswith("-") and len(word) > 1:
        return frozenset("-" + letter for letter in word[1:])
    return frozenset()


def in_order(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Tell whether all wanted words appear in that order, others between them."""
    rest = iter(words)
    return all(any(word == have for have in rest) for word in wanted)
