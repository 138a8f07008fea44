from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.config.paths import Workspace, protected_roots
from akili_cli.core.policy.builtin import DESTRUCTIVE, autonomous, destructive_commands, diagnostics, floor
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.core.sandbox.base import Sandbox
from akili_cli.core.tools.builtin.shell_exec import ShellExec
from akili_cli.domain.calls import Run
from akili_cli.domain.decisions import BUILT_IN, Decision, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of
from tests.fakes.sandbox import PlainSandbox

PROTECTED = ("/home/ann/.akili", "/home/ann/.ssh", "/etc/shadow", "/run/docker.sock")
ALLOW_ALL = Rule("allow-all", BUILT_IN, Verdict.ALLOW, Match(), "a test allows everything")


def ruled(act: Action, *more: Rule, protected: tuple[str, ...] = PROTECTED) -> Decision:
    return decide(act, RuleSet((*floor(protected), ALLOW_ALL, *more)))


@pytest.mark.parametrize(
    "effects",
    [
        Effects(reads=("/home/ann/.ssh/id_ed25519",)),
        Effects(reads=("/home/ann/.ssh",)),
        Effects(writes=("/home/ann/.akili/config.yaml",)),
        Effects(deletes=("/home/ann/.akili",)),
        Effects(deletes=("/home/ann",)),
        Effects(deletes=("/home",)),
        Effects(deletes=("/",)),
        Effects(writes=("/home/ann",)),
        Effects(writes=("/etc",)),
        Effects(reads=("/etc/shadow",), writes=("/tmp/x",)),
        Effects(hosts=("unix:/run/docker.sock",)),
        Effects(opaque="eval"),
    ],
    ids=repr,
)
def test_protected_roots_are_denied_whatever_else_allows(effects: Effects) -> None:
    decision = ruled(action(effects=effects, risk=Risk.LOW))
    assert decision.verdict is Verdict.DENY
    assert "protected-roots" in {hit.rule_id for hit in decision.hits}


@pytest.mark.parametrize(
    "effects",
    [
        Effects(reads=("/home/ann/.sshevil",)),
        Effects(reads=("/home/ann",)),
        Effects(reads=("/",)),
        Effects(writes=("/home/ann/notes",)),
        Effects(deletes=("/home/ann/.cache",)),
        Effects(hosts=("unix:/run/docker.sock.d/x", "docker.sock:443")),
    ],
    ids=repr,
)
def test_what_stands_beside_a_protected_root_is_not_denied_by_it(effects: Effects) -> None:
    assert ruled(action(effects=effects, risk=Risk.LOW)).verdict is Verdict.ALLOW


class _Shell:
    """The real shell tool over a real home, so that effects are resolved as they are in a run."""

    def __init__(self, home: Path) -> None:
        sandbox: Sandbox = PlainSandbox()
        self.tool = ShellExec(sandbox, (), 60, str(home))
        self.protected = protected_roots(Workspace(home / ".akili"), home)

    def decide(self, line: str, *, run: Run | None = None, readable: tuple[str, ...] = ()) -> Decision:
        effects = self.tool.effects(self.tool.Args.model_validate({"command": line}))
        act = action(effects=effects, run=run)
        return decide(act, RuleSet((*floor(self.protected), diagnostics(readable), destructive_commands())))


@pytest.fixture
def shell(tmp_path: Path) -> _Shell:
    home = tmp_path / "ann"
    (home / ".ssh").mkdir(parents=True)
    (home / ".akili").mkdir()
    (home / ".ssh" / "id_rsa").write_text("key")
    (home / "link").symlink_to(home / ".ssh" / "id_rsa")
    (home / "door").symlink_to(home / ".ssh")
    return _Shell(home)


@pytest.mark.parametrize(
    "line",
    [
        "cat {home}/.ssh/id_rsa",
        "cat ~/.ssh/id_rsa",
        "cat {home}/link",
        "cat {home}/door/id_rsa",
        "cat {home}/x/../.ssh/id_rsa",
        "cat '{home}/.s'sh/id_rsa",
        "cat < {home}/link",
        "echo x > {home}/.akili/config.yaml",
        "rm -rf {home}",
        "rm -rf {home}/.akili",
        "mv {home} /tmp/elsewhere",
        "cat /etc/shadow",
        "find / -name id_rsa -delete",
    ],
)
def test_shell_lines_that_touch_protected_roots_are_denied(shell: _Shell, line: str) -> None:
    home = Path(shell.protected[0]).parent
    assert shell.decide(line.format(home=home)).verdict is Verdict.DENY


@pytest.mark.parametrize(
    "line", ["df -P", "df -P -x tmpfs", "free -m", "cat /proc/loadavg", "uptime | cat", "nproc; uname -a"]
)
def test_diagnostics_allows_a_look_at_this_host_at_low_risk(shell: _Shell, line: str) -> None:
    decision = shell.decide(line)
    assert (decision.verdict, decision.risk) == (Verdict.ALLOW, Risk.LOW)
    assert decision.ruling.rule_id == "diagnostics"


@pytest.mark.parametrize(
    "line",
    [
        "df -P > /x",
        "df -P >> /tmp/x",
        "df -P | tee /tmp/x",
        "cat ~/secret",
        "cat /root/x",
        "cat /etc/ssh/ssh_host_rsa_key",
        "find / -exec rm {} ;",
        "find / -exec rm {} \\;",
        "find / -delete",
        "eval 'df -P'",
        "$(echo df) -P",
        "`echo df`",
        "df -P; curl http://example.org",
        "df -P && touch /tmp/x",
        "df -P & rm -rf /srv",
        "/tmp/df -P",
        "./df",
        "python3 -c 1",
        "sudo df -P",
        "env X=1 df -P",
        "LD_PRELOAD=/tmp/x.so df -P",
        "cat /proc/1/environ",
        "cat /proc/self/environ",
        "dmesg -C",
        "df -P $HOME",
        "df -P\nreboot",
        "",
        "((",
    ],
)
def test_diagnostics_allows_nothing_else(shell: _Shell, line: str) -> None:
    from akili_cli.domain.errors import InvalidArgumentsError

    try:
        decision = shell.decide(line)
    except InvalidArgumentsError:
        return
    except ValueError:
        assert not line
        return
    assert decision.verdict is Verdict.DENY


def test_diagnostics_reads_the_file_tools_own_roots_and_no_others(shell: _Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    line = f"cat {tmp_path}/data/x"
    assert shell.decide(line).verdict is Verdict.DENY
    assert shell.decide(line, readable=(str(tmp_path / "data"),)).verdict is Verdict.ALLOW


def test_untrusted_text_raises_a_diagnostic_by_one_level(shell: _Shell) -> None:
    decision = shell.decide("df -P", run=run_of(untrusted=("stdin",)))
    assert decision.risk is Risk.MEDIUM
    assert "untrusted text is in context (stdin)" in decision.risk_reasons[0]


@pytest.mark.parametrize("program", sorted({words.split()[0] for words in DESTRUCTIVE}))
def test_destructive_commands_are_denied_for_everybody(program: str) -> None:
    pattern = next(words for words in DESTRUCTIVE if words.split()[0] == program)
    for argv in ((*pattern.split(), "/srv"), (f"/sbin/{program}", *pattern.split()[1:])):
        act = action(effects=Effects(commands=(command(*argv),)), role="admin")
        assert ruled(act, destructive_commands()).verdict is Verdict.DENY


@pytest.mark.parametrize("argv", [("rm", "x"), ("rm", "-f", "x"), ("ls", "-r"), ("initctl",)], ids=" ".join)
def test_other_commands_are_not_destructive(argv: tuple[str, ...]) -> None:
    act = action(effects=Effects(commands=(command(*argv),)), risk=Risk.LOW)
    assert ruled(act, destructive_commands()).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "argv", [("rm", "-fr", "x"), ("rm", "-f", "x", "-r"), ("rm", "-Rf", "x"), ("rm", "--recursive", "x")]
)
def test_every_spelling_of_a_recursive_delete_is_destructive(argv: tuple[str, ...]) -> None:
    act = action(effects=Effects(commands=(command(*argv),)), risk=Risk.LOW)
    assert ruled(act, destructive_commands()).verdict is Verdict.DENY


@pytest.mark.parametrize(
    "effects",
    [
        Effects(writes=("/x",)),
        Effects(deletes=("/x",)),
        Effects(commands=(command("touch", "/x"),)),
        Effects(nodes=("n",)),
    ],
    ids=repr,
)
def test_read_only_mode_denies_what_changes_anything(effects: Effects) -> None:
    decision = ruled(action(effects=effects, run=run_of(read_only=True), risk=Risk.LOW))
    assert decision.ruling.rule_id == "read-only-mode"
    assert ruled(action(effects=effects, risk=Risk.LOW)).verdict is Verdict.ALLOW


def test_read_only_mode_lets_read_only_tools_and_diagnostics_through() -> None:
    run = run_of(read_only=True)
    assert (
        ruled(action("file_read", Effects(reads=("/x",)), read_only=True, run=run, risk=Risk.LOW)).verdict
        is Verdict.ALLOW
    )
    assert (
        ruled(action(effects=Effects(commands=(command("df", "-P"),)), run=run, risk=Risk.LOW)).verdict is Verdict.ALLOW
    )
    assert ruled(action("odd", run=run, risk=Risk.LOW)).verdict is Verdict.DENY


def test_nobody_without_a_role_is_let_in() -> None:
    assert ruled(action(role=None, risk=Risk.LOW)).ruling.rule_id == "no-role"


def test_critical_always_asks_whoever_it_is() -> None:
    for act in (action(risk=Risk.CRITICAL, role="admin"), action(risk=Risk.CRITICAL, run=run_of(autonomous=True))):
        decision = ruled(act, autonomous(("admin", "operator")))
        assert (decision.verdict, decision.ruling.rule_id) == (Verdict.ASK, "critical-always-asks")


ASK_ALL = Rule("ask-all", BUILT_IN, Verdict.ASK, Match(), "ask")
DENY_ALL = Rule("deny-all", BUILT_IN, Verdict.DENY, Match(), "no")


def test_autonomous_silences_asks_for_holders_alone() -> None:
    run = run_of(autonomous=True)
    assert ruled(action(run=run), ASK_ALL, autonomous(("operator",))).verdict is Verdict.ALLOW
    assert ruled(action(run=run_of()), ASK_ALL, autonomous(("operator",))).verdict is Verdict.ASK
    assert ruled(action(run=run, role="viewer"), ASK_ALL, autonomous(("operator",))).verdict is Verdict.ASK
    assert ruled(action(run=run, role=""), ASK_ALL, autonomous(())).verdict in (Verdict.ASK, Verdict.ALLOW)
    assert ruled(action(run=run), ASK_ALL, autonomous(())).verdict is Verdict.ASK


def test_autonomous_never_silences_a_denial_nor_allows_by_itself() -> None:
    run = run_of(autonomous=True)
    assert ruled(action(run=run), ASK_ALL, DENY_ALL, autonomous(("operator",))).verdict is Verdict.DENY
    alone = RuleSet((*floor(PROTECTED), autonomous(("operator",))))
    assert decide(action(run=run), alone).verdict is Verdict.DENY


def test_untrusted_text_can_lift_an_autonomous_call_to_critical() -> None:
    act = action(effects=Effects(writes=("/x",)), run=run_of(autonomous=True, untrusted=("web",)), risk=Risk.HIGH)
    decision = ruled(act, ASK_ALL, autonomous(("operator",)))
    assert (decision.verdict, decision.risk) == (Verdict.ASK, Risk.CRITICAL)
    assert "critical-always-asks" in {hit.rule_id for hit in decision.hits}


@pytest.mark.parametrize(
    "path",
    [
        "/proc/1/environ",
        "/proc/self/mem",
        "/proc/42/task/43/environ",
        "/proc/kcore",
        "/proc/4242/fd/3",
        "/proc/1/root/etc/shadow",
    ],
)
def test_the_inside_of_processes_is_denied(path: str) -> None:
    assert "process-secrets" in {h.rule_id for h in ruled(action(effects=Effects(reads=(path,)), risk=Risk.LOW)).hits}


@pytest.mark.parametrize("path", ["/proc/1/status", "/proc/meminfo", "/proc/environment", "/srv/proc/1/environ"])
def test_what_processes_show_to_anybody_is_not(path: str) -> None:
    assert ruled(action(effects=Effects(reads=(path,)), risk=Risk.LOW)).verdict is Verdict.ALLOW
