"""Command lines made up from what a rule looks for."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator

from akili_cli.core.policy.model import Match
from akili_cli.domain.hosts import split_host

PROGRAMS = ("akili-probe", "systemctl restart akili-probe", "id", "df -h")
_HOST = "akili-probe.example"
_WORDS = ("akili-probe", f"https://{_HOST}/x", "/srv/akili-probe/x")


def shell_lines(
    match: Match, reads: tuple[str, ...], writes: tuple[str, ...], deletes: tuple[str, ...]
) -> Iterator[str]:
    """Give lines that run, touch and reach what a rule names, the plainest first."""
    commands = match.commands or (PROGRAMS if match.unless_commands is not None or "commands" in match.effects else ())
    objects = list(_objects(match, reads, writes, deletes))
    if not commands:
        yield from (line for _words, line in objects)
        yield from () if objects else PROGRAMS
        return
    for command, (words, line) in itertools.product(commands, objects):
        yield f"{command} {words}"
        yield f"{command}; {line}"
    if not objects:
        yield from commands
        yield from (f"{command} {words}" for command in commands for words in _WORDS)


def _objects(
    match: Match, reads: tuple[str, ...], writes: tuple[str, ...], deletes: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Give what a line is about, as words after a program and as a line of its own."""
    ways: list[list[tuple[str, str]]] = []
    spoken = bool(match.paths or match.unless_paths is not None)
    if reads and (match.reads or not spoken):
        ways.append([(shlex.quote(path), f"cat {shlex.quote(path)}") for path in reads])
    if writes and (match.writes or not spoken):
        ways.append([(f"> {shlex.quote(path)}", f"touch {shlex.quote(path)}") for path in writes])
    if deletes and (match.deletes or not spoken):
        ways.append([(shlex.quote(path), f"rm -f {shlex.quote(path)}") for path in deletes])
    if spoken and not ways:
        ways.append([(shlex.quote(path), f"cat {shlex.quote(path)}") for path in reads])
        ways[-1] += [(f"> {shlex.quote(path)}", f"touch {shlex.quote(path)}") for path in writes]
    hosts = _hosts(match)
    if hosts:
        ways.append([(target, f"curl -sS {target}") for target in hosts])
    if len(ways) > 1 and match.effects and not (match.reads or match.writes or match.deletes):
        for way in ways:
            yield from way
        return
    for parts in itertools.product(*ways) if ways else ():
        yield " ".join(words for words, _line in parts), "; ".join(line for _words, line in parts)


def _hosts(match: Match) -> list[str]:
    patterns = match.domains
    if not patterns:
        wanted = match.unless_domains is not None or "hosts" in match.effects
        patterns = (_HOST,) if wanted else ()
    return [_target(pattern) for pattern in patterns[:3]]


def _target(pattern: str) -> str:
    if pattern.startswith("unix:"):
        return f"--unix-socket {shlex.quote(pattern.removeprefix('unix:'))} http://localhost/"
    name, port = split_host(pattern)
    name = f"akili-probe.{name[2:]}" if name.startswith("*.") else name
    shown = f"[{name}]" if ":" in name else name
    return f"{'http' if port == '80' else 'https'}://{shown}{f':{port}' if port else ''}/"
