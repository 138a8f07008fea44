"""Calls made up from rules: for each rule some that it should speak to, through every tool that could do that."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from akili_cli.adapters.net.urls import parse_url
from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.bootstrap.shell_probes import shell_lines
from akili_cli.core.policy.engine import decide, spoken
from akili_cli.core.policy.hours import Hours
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.core.policy.reach import PATHS, World, fitting
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.hosts import host_matches, split_host
from akili_cli.domain.paths import is_within_any
from akili_cli.domain.risk import Risk

PROBE = "akili-probe"
PROBE_USER = "akili-probe-user"
_OUTSIDE = (f"/opt/{PROBE}/x", f"/srv/{PROBE}/x", f"/var/{PROBE}/x", f"/{PROBE}/x")
_QUARTER_S, _QUARTERS_OF_A_WEEK = 900, 672
_EFFECT_FIELDS = ("effects", "paths", "reads", "writes", "deletes", "commands", "domains")
_UNLESS_FIELDS = ("unless_paths", "unless_commands", "unless_domains")
_MAX_TRIED = 400
_BEST = 7
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that a rule speaks to.

    ``alone`` when no other rule would decide the same, ``decides`` when its verdict is the decision, ``clear``
    when all the call's effects are known.
    """

    asked: Asked
    alone: bool
    decides: bool
    clear: bool

    @property
    def worth(self) -> int:
        """How much it shows."""
        return 4 * self.alone + 2 * self.decides + self.clear


@dataclass(frozen=True, slots=True)
class Places:
    """Where probes may point: a git repository that is nobody's, and the directory relative paths start from."""

    repository: str | None
    cwd: str


def idle(rule: Rule, world: World) -> str | None:
    """Say why a rule has nothing to say as things stand, or None when it must be seen to speak."""
    match = rule.match
    if match.roles == ("",):
        return "no role has the permission autonomous"
    if match.roles and not any(world.is_held(role) for role in match.roles):
        return "nobody has the role"
    if rule.id == "no-role" and world.default_role is not None:
        return "everybody has a role"
    held = match.unless_permissions
    if held is not None and {tool.permission for tool in world.tools} <= set(held):
        return "the role holds every permission"
    if match.unless_paths is not None and "/" in match.unless_paths:
        return "the list holds every path"
    named = {tool.name for tool in world.tools}, {tool.permission for tool in world.tools}
    for wanted, known in zip((match.tools, match.permissions), named, strict=True):
        if wanted and known.isdisjoint(wanted):
            return "no tool of this version is meant"
    return None


def needs_every_tool(rule: Rule) -> bool:
    """Tell whether each tool that could do what the rule names must be seen, and not only one of them."""
    match = rule.match
    if match.condition is not None:
        return rule.id in ("protected-roots", "process-secrets")
    named = any(getattr(match, name) for name in (*_EFFECT_FIELDS, "tools"))
    unless = any(getattr(match, name) is not None for name in _UNLESS_FIELDS)
    return (named or unless) and match.min_risk is None


def candidates(rule: Rule, world: World, places: Places, now: float) -> Iterator[Asked]:
    """Give calls the rule might speak to, the plainest first; most are meant to be tried and thrown away."""
    match = _shown(rule)
    lowest = Risk.LOW
    at = _moment(match.hours, now)
    for tool in fitting(replace(rule, match=match), world, lowest):
        calls = list(_calls(tool.name, match, places))
        whos = list(_whos(match, world))
        for how, (user, agent), arguments in itertools.product(_hows(rule), whos, calls):
            yield replace(how, tool=tool.name, arguments=arguments, user=user, agent=agent, at=at, skill=_skill(match))


def find_probes(rule: Rule, judge: Judge, ask: Iterable[Asked]) -> Mapping[str, Probe | None]:
    """Give, for each tool, the call that shows the rule best: one it speaks to, decides, and that is known whole.

    None stands for a tool whose calls were all understood in vain; one that took no call at all is left out. That
    a call's effects cannot be known proves nothing, as it then matches every restriction: what is known must do.
    """
    found: dict[str, Probe | None] = {}
    tried: dict[str, int] = {}
    for asked in ask:
        tried[asked.tool] = tried.get(asked.tool, 0) + 1
        best = found.get(asked.tool)
        if (best is not None and best.worth == _BEST) or tried[asked.tool] > _MAX_TRIED:
            continue
        try:
            action = judge.action(asked)
        except InvalidArgumentsError:
            continue
        found.setdefault(asked.tool, None)
        probe = _probe(rule, judge, asked, action)
        if probe is not None and (best is None or probe.worth > best.worth):
            found[asked.tool] = probe
    return found


def _probe(rule: Rule, judge: Judge, asked: Asked, action: Action) -> Probe | None:
    known = replace(action, effects=replace(action.effects, opaque=None))
    if not any(one.id == rule.id for one in spoken(known, judge.rules)):
        return None
    decision = decide(action, judge.rules)
    if rule.over_ask and decision.ruling.rule_id != rule.id:
        return None
    decides = decision.verdict is rule.verdict
    deciding = [hit for hit in decision.hits if hit.verdict is decision.verdict]
    return Probe(asked, alone=decides and len(deciding) == 1, decides=decides, clear=action.effects.opaque is None)


def probes_of(judge: Judge, places: Places) -> list[Asked]:
    """Give one call for each rule and tool."""
    out: list[Asked] = []
    for rule in judge.rules.rules:
        found = find_probes(rule, judge, candidates(rule, judge.world, places, judge.now()))
        out += [probe.asked for probe in found.values() if probe is not None]
    return out


def _shown(rule: Rule) -> Match:
    """Give what a built-in rule looks for as plain fields; its condition itself cannot be read."""
    shown = {
        "protected-roots": Match(paths=("/etc/shadow",)),
        "process-secrets": Match(paths=("/proc/1/environ",), tools=("shell_exec", "file_read")),
        "read-only-mode": Match(effects=("writes",)),
        "diagnostics": Match(tools=("shell_exec",), commands=("df -h", "uptime", "free -m")),
    }
    return shown.get(rule.id, rule.match)


def _hows(rule: Rule) -> Iterator[Asked]:
    plain = Asked(tool="")
    match rule.id:
        case "read-only-mode":
            yield replace(plain, read_only=True)
        case "autonomous":
            yield replace(plain, autonomous=True)
        case _:
            yield plain
            yield replace(plain, untrusted=(PROBE,))


def _whos(match: Match, world: World) -> Iterator[tuple[str, str | None]]:
    agent = match.agents[0] if match.agents else None
    if match.users:
        yield from ((user, agent) for user in match.users)
    elif match.roles and match.roles != ("",):
        yield from ((user, agent) for user in _holders(match.roles, world))
    elif match.principals:
        for name in match.principals:
            if name in world.roles:
                yield from ((user, agent) for user in _holders((name,), world))
            yield name, agent
            yield from ((user, name) for user in _everybody(world))
    else:
        yield from ((user, agent) for user in _everybody(world))


def _holders(roles: tuple[str, ...], world: World) -> Iterator[str]:
    yield from (user for user, role in world.user_roles.items() if role in roles)
    if world.default_role in roles:
        yield PROBE_USER


def _everybody(world: World) -> Iterator[str]:
    """Give somebody for each role, and somebody nobody named."""
    yield PROBE_USER
    yield from {role: user for user, role in world.user_roles.items()}.values()


def _skill(match: Match) -> str | None:
    if match.skills:
        return match.skills[0]
    return PROBE if match.unless_skills is not None else None


def _moment(hours: Hours | None, now: float) -> float | None:
    if hours is None:
        return None
    moments = (now + _QUARTER_S * step for step in range(_QUARTERS_OF_A_WEEK))
    return next((at for at in moments if hours.contain(at)), now)


def _calls(tool: str, match: Match, places: Places) -> Iterator[dict[str, object]]:
    make = _MAKERS.get(tool)
    return make(match, places) if make is not None else iter(())


def _shell_calls(match: Match, _places: Places) -> Iterator[dict[str, object]]:
    for line in shell_lines(match, *(_paths(match, kind) for kind in ("reads", "writes", "deletes"))):
        yield {"command": line}


def _sandbox_calls(match: Match, places: Places) -> Iterator[dict[str, object]]:
    for call in _shell_calls(match, places):
        yield {"argv": ["sh", "-c", call["command"]]}


def _read_calls(match: Match, places: Places) -> Iterator[dict[str, object]]:
    for path in _paths(match, "reads") or (f"{places.cwd}/{PROBE}",):
        yield {"path": path}


def _write_calls(match: Match, places: Places) -> Iterator[dict[str, object]]:
    for path in _paths(match, "writes") or (f"{places.cwd}/{PROBE}",):
        yield {"path": path, "content": "probe"}


def _restore_calls(match: Match, places: Places) -> Iterator[dict[str, object]]:
    for path in dict.fromkeys((*_paths(match, "writes"), *_paths(match, "deletes"), f"{places.cwd}/{PROBE}")):
        yield {"entry": _NO_DIGEST, "path": path, "current": None, "earlier": _NO_DIGEST}
        yield {"entry": _NO_DIGEST, "path": path, "current": _NO_DIGEST, "earlier": None}


def _fetch_calls(match: Match, _places: Places) -> Iterator[dict[str, object]]:
    for url in urls(match):
        yield {"url": url}


def _code_calls(match: Match, places: Places) -> Iterator[dict[str, object]]:
    for call in _shell_calls(match, places):
        yield {"language": "sh", "code": call["command"]}
    yield {"language": "python3", "code": "print()"}


def _message_calls(_match: Match, _places: Places) -> Iterator[dict[str, object]]:
    yield {"channels": [PROBE], "message": "probe"}


def _job_calls(_match: Match, _places: Places) -> Iterator[dict[str, object]]:
    yield {"name": PROBE, "cron_expression": "0 0 1 1 *", "goal": "probe", "notify": [PROBE]}


def _rule_calls(_match: Match, _places: Places) -> Iterator[dict[str, object]]:
    common = {"name": PROBE, "target": "https://example.com/", "cron_expression": "0 0 1 1 *"}
    yield {**common, "check_type": "http_status", "channels": [PROBE]}


def _delivery_calls(match: Match, _places: Places) -> Iterator[dict[str, object]]:
    for url in urls(match):
        yield {"delivery_id": PROBE, "channel": PROBE, "host": parse_url(url).authority}


def _endpoint_calls(match: Match, _places: Places) -> Iterator[dict[str, object]]:
    for url in urls(match):
        yield {"kind": "http", "url": url}
        target = parse_url(url)
        yield {"kind": "tcp", "host": target.host, "port": target.port}


def _git_reads(match: Match, places: Places) -> Iterator[dict[str, object]]:
    return _git_calls(match, places, "reads", ("status", ()))


def _git_writes(match: Match, places: Places) -> Iterator[dict[str, object]]:
    yield from _git_calls(match, places, "writes", ("add", (PROBE,)))
    yield from _git_calls(match, places, "deletes", ("rm", (PROBE,)))


def _git_restores(match: Match, places: Places) -> Iterator[dict[str, object]]:
    named = any((match.paths, match.reads, match.writes))
    for path in dict.fromkeys((*_paths(match, "writes"), *_paths(match, "reads"))) if named else (places.repository,):
        if path is not None and Path(path).is_dir():
            yield {"entry": _NO_DIGEST, "repo_path": path, "current": _NO_DIGEST, "earlier": _NO_DIGEST}


def _git_calls(
    match: Match, places: Places, kind: str, usual: tuple[str, tuple[str, ...]]
) -> Iterator[dict[str, object]]:
    named = any((match.paths, match.reads, match.writes, match.deletes))
    repositories = _paths(match, kind) if named else (places.repository,)
    patterns = [shlex.split(text) for text in match.commands]
    words = [(one[1], tuple(one[2:])) if len(one) > 1 else usual for one in patterns if one[0] == "git"]
    if match.commands and not words:
        return
    for repository, (subcommand, rest) in itertools.product(repositories, words or [usual]):
        if repository is not None and Path(repository).is_dir():
            yield {"repo_path": repository, "subcommand": subcommand, "args": list(rest)}


def _paths(match: Match, kind: str) -> tuple[str, ...]:
    """Give paths a rule speaks of for one kind of effect: below each of its roots, and the roots themselves."""
    roots = getattr(match, kind) or match.paths
    if roots:
        return tuple(path for root in roots[:3] for path in (f"{root.rstrip('/')}/{PROBE}", root))
    if match.unless_paths is not None:
        inside = frozenset(match.unless_paths)
        return tuple(path for path in _OUTSIDE if not is_within_any(path, inside))
    return (f"/srv/{PROBE}/x",) if kind in match.effects and kind in PATHS else ()


def urls(match: Match) -> tuple[str, ...]:
    """Give URLs a rule speaks of."""
    hosts = [pattern for pattern in match.domains if not pattern.startswith("unix:")]
    if not match.domains:
        known = match.unless_domains or ()
        hosts = [host for host in (f"{PROBE}.example", "127.0.0.1") if not any(host_matches(host, k) for k in known)]
    return tuple(_url(pattern) for pattern in hosts[:3])


def _url(pattern: str) -> str:
    name, port = split_host(pattern)
    name = f"{PROBE}.{name[2:]}" if name.startswith("*.") else name
    shown = f"[{name}]" if ":" in name else name
    scheme = "http" if port == "80" else "https"
    return f"{scheme}://{shown}{f':{port}' if port not in ('', '80', '443') else ''}/"


_MAKERS: Mapping[str, Callable[[Match, Places], Iterator[dict[str, object]]]] = {
    "shell_exec": _shell_calls,
    "sandbox_probe": _sandbox_calls,
    "file_read": _read_calls,
    "file_write": _write_calls,
    "file_restore": _restore_calls,
    "web_fetch": _fetch_calls,
    "git_read": _git_reads,
    "git_write": _git_writes,
    "git_restore": _git_restores,
    "code_exec": _code_calls,
    "send_notification": _message_calls,
    "create_cronjob": _job_calls,
    "create_alert": _rule_calls,
    "notification_deliver": _delivery_calls,
    "endpoint_check": _endpoint_calls,
}
