from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.bootstrap.replay import OLD, replayable, replayed
from akili_cli.bootstrap.rulings import Judge
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.policy.compile import RoleSpec
from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.hours import DAYS, Hours
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import World
from akili_cli.domain.calls import Principal, Run, Source, ToolCall, call_digest
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import ConflictError
from akili_cli.domain.risk import Risk
from tests.fakes.policies import judge_from
from tests.fakes.tools import Change, Destroy, FakeTool, Look, PathArgs
from tests.fakes.wiring import OPERATOR, VIEWER, Bench, call_of, open_bench, rules_of, run_by

ARGUMENTS = {"command": "cat /srv/x"}
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def entry(**fields: object) -> AuditEntry:
    """Give an entry as older versions wrote it, unless ``decided_at`` is given."""
    given: dict[str, object] = {
        "kind": Kind.CALL_OUTCOME,
        "result": Result.SUCCESS,
        "user": "ann",
        "source": "repl",
        "tool": "shell_exec",
        "parameters": ARGUMENTS,
        "digest": call_digest(Principal("ann"), "shell_exec", ARGUMENTS),
        "verdict": "ask",
        "risk": "high",
        "effects": {"reads": ["/srv/x"], "commands": [["cat", "/srv/x"]], "reversible": True},
        **fields,
    }
    record = AuditRecord(**given)  # type: ignore[arg-type]
    return AuditEntry(id="s-1", stream="s", seq=1, at=7.0, prev_hash="", hash="", record=record)


def rule(name: str, verdict: Verdict, match: Match, **more: object) -> Rule:
    return Rule(name, Origin("a.yaml", 3), verdict, match, f"because of {name}", **more)  # type: ignore[arg-type]


def judge_of(bench: Bench, rules: RuleSet | None = None) -> Judge:
    pipeline = bench.pipeline
    world = World((), {}, None)
    return Judge(pipeline.tools, rules or pipeline.rules, pipeline.role_of, bench.clock.now, world)


async def one_entry(bench: Bench, call: ToolCall, run: Run) -> AuditEntry:
    await bench.pipeline.run(call, run)
    return replayable(await bench.records())[-1]


FREE = RoleSpec("operator", (*OPERATOR.permissions, "autonomous"), Risk.MEDIUM)
RULES = (
    rule("bot-asks", Verdict.ASK, Match(tools=("look",), agents=("bot",))),
    rule("no-skill-change", Verdict.DENY, Match(tools=("change",), skills=("deploy",))),
    rule("viewers-may-change", Verdict.ALLOW, Match(tools=("change",), roles=("viewer",), writes=("/srv",))),
    rule("not-from-cron", Verdict.DENY, Match(tools=("change",), sources=("cron",))),
    rule("high-asks", Verdict.ASK, Match(min_risk=Risk.HIGH)),
    rule("tool-allowed", Verdict.ALLOW, Match(tools=("change",), users=("ann", "ben"), writes=("/srv", "/etc"))),
    rule(
        "only-in-the-morning",
        Verdict.DENY,
        Match(tools=("look",), reads=("/etc",), hours=Hours(DAYS, 720, 1440, "UTC")),
    ),
)


def drawn(rng: random.Random, number: int) -> tuple[ToolCall, Run]:
    principal = Principal(
        rng.choice(["ann", "ben", "vic", "nobody"]),
        rng.choice([Source.CLI, Source.REPL, Source.CRON]),
        rng.choice([None, None, "bot", "other"]),
    )
    run = Run(
        id=f"run-{number % 7}",
        principal=principal,
        correlation_id="c" * 16,
        untrusted=rng.choice([(), (), ("stdin",), tuple(f"file /{n}" for n in range(20))]),
        autonomous=rng.random() < 0.3,
        read_only=rng.random() < 0.2,
        plan=rng.random() < 0.1,
        skill=rng.choice([None, "deploy", "backup"]),
    )
    tool = rng.choice(["look", "look", "change", "change", "destroy"])
    return ToolCall(f"call-{number}", tool, {"path": rng.choice(["/srv/x", "/etc/y", "/srv/a\u202eb", "/srv/ü"])}), run


@pytest.mark.parametrize("seed", range(3))
async def test_every_recorded_decision_is_made_again_by_the_same_policy(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    async with open_bench(tmp_path, [Look(), Change(), Destroy()]) as bench:
        rules = rules_of(*RULES, roles=(FREE, VIEWER))
        pipeline, judge = replace(bench.pipeline, rules=rules), judge_of(bench, rules)
        for number in range(120):
            bench.clock.move(rng.choice([0.0, 3600.0, 40_000.0]))
            await pipeline.run(*drawn(rng, number))
        entries = replayable(await bench.records())
        bench.clock.move(10_000.0)
        assert len(entries) == 120
        seen = set()
        for one in entries:
            again = replayed(one, judge)
            decision = decide(again.action, judge.rules)
            hits = tuple(f"{hit.verdict} {hit.rule_id}@{hit.origin}" for hit in decision.hits)
            assert (str(decision.verdict), str(decision.risk)) == (one.record.verdict, one.record.risk), one
            assert (hits, again.action.role or "", again.doubt) == (one.record.rules, one.record.role, ""), one
            seen |= {hit.rule_id for hit in decision.hits}
        assert {one.id for one in RULES} | {"read-only-mode", "autonomous", "no-role", "critical-always-asks"} <= seen


@pytest.mark.parametrize(
    ("match", "run", "other"),
    [
        (Match(agents=("bot",)), run_by(agent="bot"), run_by()),
        (Match(roles=("viewer",)), run_by("vic"), run_by("ann")),
        (Match(skills=("deploy",)), replace(run_by(), skill="deploy"), run_by()),
        (Match(principals=("bot",)), run_by(agent="bot"), run_by(agent="other")),
    ],
    ids=["an agent", "a role", "a skill", "a bound policy"],
)
async def test_a_rule_bound_to_someone_is_seen_when_it_goes(match: Match, run: Run, other: Run, tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()], rule("bound", Verdict.DENY, match)) as bench:
        bound, free = await one_entry(bench, call_of(), run), await one_entry(bench, call_of(), other)
        for rules in (bench.pipeline.rules, rules_of()):
            judge = judge_of(bench, rules)
            here = rules is bench.pipeline.rules
            assert decide(replayed(bound, judge).action, rules).verdict is (Verdict.DENY if here else Verdict.ALLOW)
            assert decide(replayed(free, judge).action, rules).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("run", "call", "verdict", "without"),
    [
        (run_by(read_only=True), call_of("change"), "deny", "allow"),
        (run_by(autonomous=True), call_of("change"), "allow", "ask"),
        (run_by(untrusted=("stdin",)), call_of("change"), "ask", "allow"),
    ],
    ids=["read-only", "autonomous", "untrusted"],
)
async def test_the_circumstances_of_a_run_count_again(
    run: Run, call: ToolCall, verdict: str, without: str, tmp_path: Path
) -> None:
    asks = [rule("change-asks", Verdict.ASK, Match(tools=("change",)))] if run.autonomous else []
    async with open_bench(tmp_path, [Look(), Change()]) as bench:
        judge = judge_of(bench, rules_of(*asks, roles=(FREE, VIEWER)))
        await replace(bench.pipeline, rules=judge.rules).run(call, run)
        (one,) = replayable(await bench.records())
        assert one.record.verdict == verdict
        action = replayed(one, judge).action
        assert str(decide(action, judge.rules).verdict) == verdict
        plain = replace(action.run, read_only=False, autonomous=False, untrusted=())
        assert str(decide(replace(action, run=plain), judge.rules).verdict) == without


async def test_the_hour_of_the_decision_counts_and_not_that_of_the_record(tmp_path: Path) -> None:
    async def slow(_args: PathArgs, _permit: object) -> object:
        bench.clock.move(50_000.0)
        raise ConflictError("too late")

    night = rule("night", Verdict.DENY, Match(hours=Hours(DAYS, 0, 60, "UTC")))
    async with open_bench(tmp_path, [Look(act=slow)], night) as bench:  # type: ignore[arg-type]
        began = bench.clock.now()
        one, judge = await one_entry(bench, call_of(), run_by()), judge_of(bench)
        assert one.at >= began + 50_000.0
        assert replayed(one, judge).action.at == began


async def test_what_a_command_resolved_to_comes_back(tmp_path: Path) -> None:
    commands = (
        Command("cat", ("cat", "/srv/x"), "/usr/bin/cat", ("sudo", "env")),
        Command("cat", ("./cat",), "/srv/cat"),
        Command("missing", ("missing", ""), None),
    )
    effects = Effects(reads=("/srv/x",), commands=commands, reversible=False)
    async with open_bench(tmp_path, [Look(effects=lambda _args: effects)]) as bench:
        one = await one_entry(bench, call_of(), run_by())
        again = replayed(one, judge_of(bench))
        assert (again.action.effects, again.doubt) == (effects, "")


async def test_effects_that_were_redacted_or_cut_are_said_to_be_doubtful(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        for path in (f"/srv/{SECRET}", "/srv/" + "x" * 3000):
            one = await one_entry(bench, call_of(path=path), run_by())
            assert SECRET not in str(one)
            assert {"effects", "parameters"} <= set(one.record.altered)
            assert replayed(one, judge_of(bench)).doubt == "what was recorded is redacted or shortened: effects"


async def test_arguments_that_were_shortened_are_no_reason_to_doubt(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look(effects=lambda _args: Effects(reads=("/srv/x",)))]) as bench:
        one = await one_entry(bench, call_of(path="/srv/" + "x" * 3000), run_by())
        assert one.record.altered == ("parameters",)
        assert replayed(one, judge_of(bench)).doubt == ""


async def test_a_user_whose_name_was_redacted_is_doubtful(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        bench.redactor.register("ann-the-secret", "who")
        one = await one_entry(bench, call_of(), run_by("ann-the-secret"))
        assert "user_id" in replayed(one, judge_of(bench)).doubt


def test_of_an_old_record_whole_arguments_are_read_again(tmp_path: Path) -> None:
    again = replayed(entry(), judge_from(tmp_path))
    assert again.doubt == OLD
    assert again.action.at == 7.0
    assert again.action.run.principal.source is Source.REPL
    assert again.action.effects.commands[0].path is not None


@pytest.mark.parametrize("parameters", [{"command": "cat [...]"}, {"command": "cat /srv/x", "shell": "zsh"}])
def test_other_arguments_of_an_old_record_fall_back_to_its_effects(
    parameters: dict[str, object], tmp_path: Path
) -> None:
    digest = call_digest(Principal("ann"), "shell_exec", parameters) if "shell" in parameters else "x"
    again = replayed(entry(parameters=parameters, digest=digest), judge_from(tmp_path))
    assert again.doubt == OLD
    assert again.action.effects.reads == ("/srv/x",)
    assert (again.action.effects.commands[0].argv, again.action.effects.commands[0].path) == (("cat", "/srv/x"), None)


def test_the_mode_of_an_old_run_is_told_from_the_rules(tmp_path: Path) -> None:
    rules = ("deny read-only-mode@built-in", "allow autonomous@built-in")
    run = replayed(entry(rules=rules), judge_from(tmp_path)).action.run
    assert (run.read_only, run.autonomous) == (True, True)


def test_an_old_risk_that_only_outside_text_explains_means_that_there_was_some(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    assert replayed(entry(risk="medium"), judge).action.run.untrusted == ("recorded",)
    assert replayed(entry(risk="low"), judge).action.run.untrusted == ()
    assert replayed(entry(risk="critical"), judge).action.run.untrusted == ()


@pytest.mark.parametrize("decided_at", [None, 7.0], ids=["old", "new"])
def test_what_was_never_decided_or_names_no_tool_is_refused(decided_at: float | None, tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    with pytest.raises(ConflictError, match="not about a call"):
        replayed(entry(verdict="", decided_at=decided_at), judge)
    with pytest.raises(ConflictError, match="no tool 'gone'"):
        replayed(entry(tool="gone", decided_at=decided_at), judge)
    assert replayed(entry(source="odd", decided_at=decided_at), judge).action.run.principal.source is Source.CLI


def test_each_decision_is_replayed_once_and_none_is_left_out() -> None:
    intent, outcome = entry(kind=Kind.CALL_INTENT, result=Result.INTENT), entry()
    assert replayable([intent, outcome]) == [outcome]
    assert replayable([intent]) == [intent]
    unclear = entry(verdict="", result=Result.INTERRUPTED)
    assert replayable([unclear]) == [unclear]
    assert replayable([entry(result=Result.INVALID), entry(kind=Kind.APPROVAL)]) == []


def tools() -> list[FakeTool]:
    return [Look(), Change(), Destroy()]


async def test_the_roles_of_the_candidate_count(tmp_path: Path) -> None:
    async with open_bench(tmp_path, tools()) as bench:
        one, judge = await one_entry(bench, call_of("change"), run_by("vic")), judge_of(bench)
        assert (one.record.verdict, one.record.role) == ("deny", "viewer")
        promoted = replace(judge, role_of=lambda _principal: OPERATOR.name)
        assert decide(replayed(one, promoted).action, judge.rules).verdict is Verdict.ALLOW
        assert VIEWER.name != OPERATOR.name
