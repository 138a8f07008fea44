from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.match import compile_match, parse_command_pattern
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of


def speaks(match: Match, what: Action, verdict: Verdict = Verdict.DENY) -> bool:
    return all(test(what) for test in compile_match(match, verdict))


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/srv/app", True),
        ("/srv/app/x", True),
        ("/srv/app2", False),
        ("/srv", False),
        ("/", False),
    ],
)
def test_paths_match_on_component_borders(path: str, matches: bool) -> None:
    assert speaks(Match(paths=("/srv/app",)), action(effects=Effects(reads=(path,)))) is matches


def test_deny_needs_one_path_and_allow_needs_all() -> None:
    both = action(effects=Effects(reads=("/srv/a", "/etc/b")))
    assert speaks(Match(paths=("/srv",)), both, Verdict.DENY)
    assert not speaks(Match(paths=("/srv",)), both, Verdict.ALLOW)
    assert speaks(Match(paths=("/srv", "/etc")), both, Verdict.ALLOW)


@pytest.mark.parametrize("field", ["reads", "writes", "deletes"])
def test_each_kind_of_path_is_told_apart(field: str) -> None:
    touched = action(effects=Effects(**{field: ("/srv/x",)}))
    for name in ("reads", "writes", "deletes"):
        assert speaks(Match(**{name: ("/srv",)}), touched) is (name == field)
    assert speaks(Match(paths=("/srv",)), touched)


def test_an_opaque_call_matches_every_deny_and_no_allow() -> None:
    opaque = action(effects=Effects(opaque="computed name"))
    for match in (
        Match(paths=("/x",)),
        Match(commands=("rm",)),
        Match(domains=("a.example",)),
        Match(nodes=("n",)),
        Match(effects=("deletes",)),
        Match(unless_paths=("/",)),
        Match(unless_commands=("ls",)),
        Match(unless_domains=("a.example",)),
    ):
        assert speaks(match, opaque, Verdict.DENY), match
        assert not speaks(match, opaque, Verdict.ALLOW), match
    assert not speaks(Match(), opaque, Verdict.ALLOW)


@pytest.mark.parametrize(
    ("pattern", "argv", "loose", "strict"),
    [
        ("rm", ("rm", "x"), True, True),
        ("rm -rf", ("rm", "-rf", "x"), True, True),
        ("rm -rf", ("rm", "-r", "-f", "x"), True, False),
        ("rm -rf", ("rm", "-fr", "x"), True, False),
        ("rm -rf", ("rm", "x", "-rf"), True, False),
        ("rm -rf", ("rm", "-r", "x"), False, False),
        ("rm", ("rmdir", "x"), False, False),
        ("git push", ("git", "push"), True, True),
        ("git push", ("git", "-C", "/r", "push"), True, False),
        ("git push", ("git", "log"), False, False),
        ("git status", ("git", "status", "--short"), True, True),
        ("kubectl delete pod", ("kubectl", "-n", "x", "delete", "--now", "pod", "p"), True, False),
        ("tar --to-command", ("tar", "--to-command=sh", "-x"), True, False),
        ("/usr/bin/rm", ("rm", "x"), True, True),
        ("/opt/rm", ("rm", "x"), False, False),
    ],
)
def test_commands_match_by_program_and_tokens(pattern: str, argv: tuple[str, ...], loose: bool, strict: bool) -> None:
    test = parse_command_pattern(pattern)
    assert test(command(*argv), False) is loose
    assert test(command(*argv), True) is strict


def test_a_pattern_without_a_program_is_an_error() -> None:
    with pytest.raises(ValueError, match="program"):
        parse_command_pattern("  ")


def test_a_link_to_a_denied_program_is_that_program() -> None:
    linked = command("/tmp/ls")
    linked = type(linked)("ls", ("/tmp/ls",), "/usr/bin/rm")
    assert parse_command_pattern("rm")(linked, False)
    assert not parse_command_pattern("rm")(linked, True)


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("api.example.com", "api.example.com:443", True),
        ("api.example.com", "API.Example.COM.:443", True),
        ("*.example.com", "a.b.example.com:443", True),
        ("*.example.com", "example.com:443", False),
        ("example.com", "evil-example.com:443", False),
        ("example.com", "example.com.evil.net:443", False),
        ("example.com:8443", "example.com:443", False),
        ("b\u00fccher.example", "xn--bcher-kva.example:80", True),
        ("unix:/run/x.sock", "unix:/run/x.sock", True),
        ("::1", "[::1]:80", True),
    ],
)
def test_hosts_match_by_label(pattern: str, host: str, matches: bool) -> None:
    assert speaks(Match(domains=(pattern,)), action(effects=Effects(hosts=(host,)))) is matches


def test_an_allow_that_names_effects_must_name_every_change() -> None:
    cats = Match(commands=("cat",))
    reading = action(effects=Effects(reads=("/x",), commands=(command("cat", "/x"),)))
    writing = action(effects=Effects(writes=("/y",), commands=(command("cat", "/x"),)))
    reaching = action(effects=Effects(hosts=("a.example:80",), commands=(command("cat"),)))
    assert speaks(cats, reading, Verdict.ALLOW)
    assert not speaks(cats, writing, Verdict.ALLOW)
    assert not speaks(cats, reaching, Verdict.ALLOW)


@pytest.mark.parametrize(
    ("match", "hit", "miss"),
    [
        (Match(users=("ann",)), action(), action(run=run_of("bob"))),
        (Match(roles=("operator",)), action(), action(role="viewer")),
        (Match(agents=("a1",)), action(run=run_of(agent="a1")), action()),
        (Match(sources=("cli",)), action(), action(run=run_of(source=Source.HTTP))),
        (Match(tools=("shell_exec",)), action(), action("file_read")),
        (Match(permissions=("shell_exec",)), action(), action(permission="read_files")),
        (Match(min_risk=Risk.HIGH), action(), action(risk=Risk.LOW)),
        (Match(max_risk=Risk.LOW), action(risk=Risk.LOW), action()),
        (Match(skills=("s",)), action(run=run_of(skill="s")), action()),
        (Match(unless_skills=("s",)), action(run=run_of(skill="t")), action()),
        (Match(unless_tools=("file_read",)), action(), action("file_read")),
        (Match(unless_permissions=("read_files",)), action(), action(permission="read_files")),
        (Match(effects=("writes",)), action(effects=Effects(writes=("/x",))), action()),
        (Match(nodes=("n1",)), action(effects=Effects(nodes=("n1",))), action(effects=Effects(nodes=("n2",)))),
    ],
    ids=lambda value: None,
)
def test_each_field_decides(match: Match, hit: Action, miss: Action) -> None:
    assert speaks(match, hit)
    assert not speaks(match, miss)


@pytest.mark.parametrize("who", ["ann", "operator", "agent-7"])
def test_a_binding_reaches_user_role_and_agent(who: str) -> None:
    assert speaks(Match(principals=(who,)), action(run=run_of(agent="agent-7")))
    assert not speaks(Match(principals=("other",)), action(run=run_of(agent="agent-7")))


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.ASK])
@pytest.mark.parametrize("kind", ["reads", "writes", "deletes", "paths"])
def test_a_command_that_is_given_a_directory_may_reach_all_below_it(verdict: Verdict, kind: str) -> None:
    match = Match(**{kind: ("/srv/app/secret",)})  # type: ignore[arg-type]
    touched = {"reads" if kind == "paths" else kind: ("/srv",)}
    tree = action(effects=Effects(commands=(command("tar", "c", "/srv"),), **touched))  # type: ignore[arg-type]
    alone = action("file_read", effects=Effects(**touched))  # type: ignore[arg-type]
    beside = action(effects=Effects(commands=(command("tar", "c", "/srvx"),), reads=("/srvx",)))
    tests = compile_match(match, verdict)
    assert all(test(tree) for test in tests)
    assert not all(test(alone) for test in tests)
    assert not all(test(beside) for test in tests)
    assert not all(test(tree) for test in compile_match(match, Verdict.ALLOW))


def test_an_allowed_program_is_not_a_file_of_that_name() -> None:
    tests = compile_match(Match(commands=("cat",)), Verdict.ALLOW)

    def allowed(*argv: str, path: str | None) -> bool:
        run = Command("cat", argv, path)
        return all(test(action(effects=Effects(commands=(run,)))) for test in tests)

    assert allowed("cat", path="/usr/bin/cat")
    assert allowed("/usr/bin/cat", path="/usr/bin/cat")
    assert not allowed("./cat", path=None)
    assert not allowed("/srv/bin/cat", path="/srv/bin/cat")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("nice", True),
        ("/usr/bin/nice", True),
        ("nice rm", True),
        ("rm", True),
        ("rm -rf", True),
        ("env", True),
        ("nice ls", False),
        ("timeout", False),
        ("ic", False),
    ],
)
def test_a_restriction_on_a_wrapper_means_whatever_it_starts(pattern: str, matches: bool) -> None:
    wrapped = replace(command("rm", "-rf", "/x"), wrappers=("env", "nice"))
    what = action(effects=Effects(deletes=("/x",), commands=(wrapped,)))
    assert speaks(Match(commands=(pattern,)), what) is matches
    rule = Rule("r", BUILT_IN, Verdict.DENY, Match(commands=(pattern,)), "why")
    assert (rule in RuleSet((rule,)).matching(what)) is matches


def test_an_allowance_of_a_wrapper_allows_nothing_by_itself() -> None:
    wrapped = replace(command("rm", "-rf", "/x"), wrappers=("nice",))
    what = action(effects=Effects(commands=(wrapped,)))
    assert not speaks(Match(commands=("nice",)), what, Verdict.ALLOW)
    assert not speaks(Match(commands=("nice rm",)), what, Verdict.ALLOW)
