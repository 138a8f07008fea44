from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.approvals.model import NO_OFFER, Answer, AnswerKind, Approval, Offer
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.policy.compile import RoleSpec
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Source, Status, ToolCall, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Origin, Permit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import (
    AkiliError,
    AuditError,
    BudgetExceededError,
    ConflictError,
    InvalidArgumentsError,
    PolicyDeniedError,
    SandboxError,
    StorageError,
    ToolFailedError,
)
from akili_cli.domain.risk import Risk
from tests.fakes.tools import Act, Change, Destroy, Look, PathArgs
from tests.fakes.wiring import ScriptedAsker, call_of, open_bench, run_by

DENY_LOOK = Rule("no-look", Origin("a.yaml", 3), Verdict.DENY, Match(tools=("look",)), "nobody looks")
ASK_LOOK = Rule("ask-look", Origin("a.yaml", 4), Verdict.ASK, Match(tools=("look",)), "a human looks first")
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def failing(error: Exception) -> Act:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        raise error

    return act


def giving(output: ToolOutput) -> Act:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return output

    return act


async def test_an_allowed_call_runs_between_its_intent_and_its_outcome(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look]) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert (step.status, step.text) == (Status.OK, "done with /srv/x")
        assert await bench.results() == ["intent", "success"]
        intent, outcome = await bench.records()
        assert intent.record.kind == "call.intent"
        assert step.audit_id == outcome.id
        assert outcome.record.rule == "role:operator/permissions@built-in"
        assert outcome.record.effects == {"reads": ["/srv/x"], "reversible": True}
        assert (intent.record.digest, intent.record.call_id) == (outcome.record.digest, "call-1")


async def test_the_permit_carries_exactly_the_declared_effects_and_no_more(tmp_path: Path) -> None:
    effects = Effects(reads=("/srv/a", "/srv/b"), hosts=("example.org:443",))
    look = Look(effects=lambda _args: effects)
    async with open_bench(tmp_path, [look]) as bench:
        await bench.pipeline.run(call_of(), run_by())
        (permit,) = look.permits
        assert permit.effects == effects
        assert (permit.tool, permit.user, permit.approved_by) == ("look", "ann", None)
        assert permit.protected == ("/home/ann/.akili",)
        assert permit.digest == (await bench.records())[0].record.digest


async def test_the_intent_is_on_the_disk_before_the_tool_acts(tmp_path: Path) -> None:
    seen: list[str] = []

    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        other = await open_sqlite(tmp_path / "akili.db")
        try:
            entries = await AuditReader(other, "default").tail(10)
        finally:
            await other.close()
        seen.extend(f"{e.record.tool} {e.record.result} {e.record.digest == permit.digest}" for e in entries)
        seen.append(str("intent" in (tmp_path / "audit" / f"{entries[-1].stream}.jsonl").read_text()))
        return ToolOutput("done")

    async with open_bench(tmp_path, [Change(act)]) as bench:
        await bench.pipeline.run(call_of("change"), run_by())
    assert seen[-2:] == ["change intent True", "True"]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (call_of("nosuch"), "there is no tool 'nosuch'"),
        (call_of("Look"), "did you mean `look`?"),
        (call_of(""), "there is no tool ''"),
        (call_of("x" * 100_000), "there is no tool"),
        (call_of("look\0\x1b[31m\ud800"), "there is no tool"),
        (call_of("look", 5), "path: Input should be a valid string"),
        (call_of("look", ""), "path: String should have at least 1 character"),
        (call_of("look", None), "path: Input should be a valid string"),
        (call_of("look", "relative"), "must be absolute"),
        (ToolCall("c", "look", {}), "path: Field required"),
        (ToolCall("c", "look", {"path": "/x", "sudo": True}), "sudo: Extra inputs are not permitted"),
        (ToolCall("c", "look", {"__class__": "x", "path": "/x"}), "__class__: Extra inputs"),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value.name[:10]!r}",
)
async def test_what_cannot_be_understood_is_invalid_and_leaves_one_record(
    tmp_path: Path, call: ToolCall, named: str
) -> None:
    look = Look()
    async with open_bench(tmp_path, [look]) as bench:
        step = await bench.pipeline.run(call, run_by())
        assert (step.status, step.decision) == (Status.INVALID, None)
        assert named in step.text
        assert await bench.results() == ["invalid"]
        assert step.audit_id == (await bench.records())[0].id
    assert look.ran == 0


async def test_effects_that_cannot_be_told_are_invalid_not_a_crash(tmp_path: Path) -> None:
    def effects(args: PathArgs) -> Effects:
        raise ToolFailedError("the repository cannot be read", hint="look at it")

    look = Look(effects=effects)
    async with open_bench(tmp_path, [look]) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert (step.status, step.text) == (
            Status.INVALID,
            "Invalid: the repository cannot be read (look at it)",
        )
        assert not bench.pipeline.only_looks(call_of(), run_by())
        assert await bench.results() == ["invalid"]
    assert look.ran == 0


async def test_a_denied_call_never_runs_and_names_the_rule_and_its_place(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], DENY_LOOK) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert step.status is Status.DENIED
        assert step.text == "Refused: nobody looks (rule no-look, a.yaml:3)"
        (entry,) = await bench.records()
        assert entry.record.result == "policy_denied"
        assert entry.record.rule == "no-look@a.yaml:3"
        assert "allow role:operator/permissions@built-in" in entry.record.rules
    assert look.ran == 0


async def test_a_user_without_a_role_and_a_role_without_the_permission_are_denied(tmp_path: Path) -> None:
    look, change = Look(), Change()
    async with open_bench(tmp_path, [look, change]) as bench:
        nobody = await bench.pipeline.run(call_of(), run_by("mallory"))
        viewer = await bench.pipeline.run(call_of("change"), run_by("vic"))
        assert "rule no-role" in nobody.text
        assert "rule role:viewer/not-permitted" in viewer.text
        assert await bench.results() == ["policy_denied", "policy_denied"]
    assert look.ran + change.ran == 0


async def test_an_ask_without_anybody_at_the_terminal_is_held_and_recorded(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK) as bench:
        step = await bench.pipeline.run(call_of(), run_by(), reason="I want to see it")
        assert step.status is Status.APPROVAL_REQUIRED
        assert step.approval_id
        assert step.approval_id in step.text
        assert await bench.results() == ["approval_pending"]
        (held,) = await bench.pipeline.approvals.list()
        assert (held.id, held.reason, held.arguments) == (step.approval_id, "I want to see it", {"path": "/srv/x"})
    assert look.ran == 0


async def test_a_yes_at_the_terminal_runs_the_call_in_that_persons_name(tmp_path: Path) -> None:
    look, asker = Look(), ScriptedAsker()
    async with open_bench(tmp_path, [look], ASK_LOOK, asker=asker) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert step.status is Status.OK
        records = await bench.records()
        assert [e.record.approved_by for e in records] == ["ann", "ann", "ann"]
        assert [e.record.result for e in records] == ["approved", "intent", "success"]
        assert [a.status for a in await bench.pipeline.approvals.list()] == ["consumed"]
    assert look.permits[0].approved_by == "ann"
    assert asker.cards[0].status == "pending"


async def test_a_no_at_the_terminal_is_recorded_with_its_words(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK, asker=ScriptedAsker(AnswerKind.DENY, "use the log")) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert (step.status, step.text) == (
            Status.DENIED,
            "Refused: ann said no: use the log (rule ask-look)",
        )
        assert await bench.results() == ["denied"]
    assert look.ran == 0


class Dawdler:
    """Says yes, or no, after something else happened to the approval."""

    def __init__(self, meanwhile: Callable[[Approval], object], kind: AnswerKind) -> None:
        self.meanwhile = meanwhile
        self.kind = kind

    async def ask(self, approval: Approval, _offer: Offer = NO_OFFER) -> Answer:
        done = self.meanwhile(approval)
        if asyncio.iscoroutine(done):
            await done
        return Answer(self.kind)


@pytest.mark.parametrize("kind", list(AnswerKind), ids=str)
@pytest.mark.parametrize("what", ["expired", "denied elsewhere"])
async def test_an_answer_that_comes_too_late_is_a_refusal_not_a_crash(
    tmp_path: Path, what: str, kind: AnswerKind
) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK, ttl_seconds=60) as bench:
        queue = bench.pipeline.approvals
        if what == "expired":
            queue.asker = Dawdler(lambda _a: bench.clock.move(61), kind)
        else:
            queue.asker = Dawdler(lambda a: queue.deny(a.id, Principal("ben")), kind)
        step = await bench.pipeline.run(call_of(), run_by())
        assert step.status is Status.DENIED
        assert what.split(maxsplit=1)[0] in step.text
        assert await bench.results() == ["denied"]
    assert look.ran == 0


async def test_a_prompt_that_is_interrupted_leaves_a_record_and_runs_nothing(tmp_path: Path) -> None:
    look, shown = Look(), asyncio.Event()

    class Thinker:
        async def ask(self, approval: Approval, _offer: Offer = NO_OFFER) -> Answer:
            shown.set()
            await asyncio.Event().wait()
            raise AssertionError

    async with open_bench(tmp_path, [look], ASK_LOOK, asker=Thinker()) as bench:
        task = asyncio.create_task(bench.pipeline.run(call_of(), run_by()))
        await shown.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await bench.results() == ["interrupted"]
    assert look.ran == 0


@pytest.mark.parametrize(
    ("output", "status", "result"),
    [
        (ToolOutput("x", ok=False), Status.FAILED, "failure"),
        (ToolOutput("x", ok=False, metadata={"exit_code": 3}), Status.FAILED, "failure"),
        (ToolOutput("x", ok=False, timed_out=True), Status.TIMEOUT, "timeout"),
        (ToolOutput("x", ok=True, timed_out=True), Status.TIMEOUT, "timeout"),
        (ToolOutput(""), Status.OK, "success"),
    ],
    ids=["failed", "exit code", "timed out", "timed out and ok", "empty"],
)
async def test_every_outcome_has_its_own_word(tmp_path: Path, output: ToolOutput, status: Status, result: str) -> None:
    async with open_bench(tmp_path, [Look(giving(output))]) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert step.status is status
        assert await bench.results() == ["intent", result]


@pytest.mark.parametrize(
    ("error", "status", "result", "text"),
    [
        (ToolFailedError("broken", hint="mend it"), Status.FAILED, "failure", "Error: broken (mend it)"),
        (SandboxError("no landlock"), Status.FAILED, "failure", "Error: no landlock"),
        (StorageError("gone"), Status.FAILED, "failure", "Error: gone"),
        (InvalidArgumentsError("changed meanwhile"), Status.FAILED, "failure", "Error: changed meanwhile"),
        (PolicyDeniedError("outside the permit"), Status.DENIED, "denied", "Refused: outside the permit"),
        (BudgetExceededError("too dear"), Status.DENIED, "denied", "Refused: too dear"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AkiliError) else "",
)
async def test_a_tool_that_raises_is_a_result_not_a_crash(
    tmp_path: Path, error: AkiliError, status: Status, result: str, text: str
) -> None:
    async with open_bench(tmp_path, [Look(failing(error))]) as bench:
        step = await bench.pipeline.run(call_of(), run_by())
        assert (step.status, step.text) == (status, text)
        assert await bench.results() == ["intent", result]


async def test_a_cancelled_call_is_recorded_as_interrupted(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with open_bench(tmp_path, [Change(act)]) as bench:
        task = asyncio.create_task(bench.pipeline.run(call_of("change"), run_by()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await bench.results() == ["intent", "interrupted"]
        await bench.audit.close()
        assert await bench.results() == ["intent", "interrupted"]


async def test_a_bug_in_a_tool_reaches_the_caller_and_its_intent_is_ended_with_the_log(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Change(failing(ZeroDivisionError()))]) as bench:
        with pytest.raises(ZeroDivisionError):
            await bench.pipeline.run(call_of("change"), run_by())
        assert await bench.results() == ["intent"]
        await bench.audit.close()
        assert await bench.results() == ["intent", "interrupted"]


async def test_a_spent_budget_stops_the_call_before_its_intent(tmp_path: Path) -> None:
    look = Look(giving(ToolOutput("dear", cost_usd=2.0)))
    async with open_bench(tmp_path, [look], limit_usd=1.0) as bench:
        await bench.pipeline.run(call_of(), run_by())
        assert (await bench.pipeline.ledger.status("ann")).spent_usd == 2.0
        step = await bench.pipeline.run(call_of(path="/srv/y"), run_by())
        assert step.status is Status.BUDGET_EXCEEDED
        assert step.text.startswith("Refused: ")
        assert await bench.results() == ["intent", "success", "budget_exceeded"]
    assert look.ran == 1


async def broken_by_closing_the_log(bench_dir: Path, bench: object) -> None:
    await bench.audit.close()  # type: ignore[attr-defined]


async def broken_by_dropping_the_table(bench_dir: Path, bench: object) -> None:
    await bench.db.write(lambda c: c.execute("ALTER TABLE audit_events RENAME TO gone"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("breaks", [broken_by_closing_the_log, broken_by_dropping_the_table])
@pytest.mark.parametrize("call", [call_of("look"), call_of("change"), call_of("nosuch"), call_of("destroy")])
async def test_a_broken_audit_runs_nothing(tmp_path: Path, call: ToolCall, breaks: Callable[..., object]) -> None:
    tools = [Look(), Change(), Destroy()]
    async with open_bench(tmp_path, tools) as bench:
        await breaks(tmp_path, bench)  # type: ignore[misc]
        for _ in range(2):
            with pytest.raises(AuditError):
                await bench.pipeline.run(call, run_by())
    assert [tool.ran for tool in tools] == [0, 0, 0]


async def test_a_closed_database_runs_nothing(tmp_path: Path) -> None:
    tools = [Look(), Change()]
    db = await open_sqlite(tmp_path / "akili.db")
    async with open_bench(tmp_path, tools, db=db) as bench:
        await db.close()
        for name in ("look", "change", "nosuch"):
            with pytest.raises((AuditError, StorageError)):
                await bench.pipeline.run(call_of(name), run_by())
    assert [tool.ran for tool in tools] == [0, 0]


@pytest.mark.parametrize("removed", [".", "audit"], ids=["workspace", "audit directory"])
async def test_a_removed_directory_runs_nothing(tmp_path: Path, removed: str) -> None:
    home, look = tmp_path / "home-of-akili", Look()
    home.mkdir()
    async with open_bench(home, [look]) as bench:
        shutil.rmtree((home / removed).resolve())
        with pytest.raises(AuditError):
            await bench.pipeline.run(call_of(), run_by())
    assert look.ran == 0


async def test_the_second_equal_read_is_answered_from_the_cache_and_still_recorded(tmp_path: Path) -> None:
    look = Look(giving(ToolOutput("outside text", untrusted="file /srv/x")))
    async with open_bench(tmp_path, [look]) as bench:
        first = await bench.pipeline.run(call_of(), run_by())
        second = await bench.pipeline.run(call_of(), run_by())
        assert (first.cached, second.cached) == (False, True)
        assert (second.status, second.text, second.untrusted) == (Status.OK, "outside text", "file /srv/x")
        assert await bench.results() == ["intent", "success", "cache_hit"]
        assert second.audit_id != first.audit_id
    assert look.ran == 1


async def test_nobody_is_given_what_another_user_was_allowed_to_read(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look]) as bench:
        await bench.pipeline.run(call_of(), run_by("ann"))
        stranger = await bench.pipeline.run(call_of(), run_by("mallory"))
        peer = await bench.pipeline.run(call_of(), run_by("ben"))
        assert stranger.status is Status.DENIED
        assert (peer.status, peer.cached) == (Status.OK, False)
    assert look.ran == 2


async def test_a_cached_result_is_not_given_once_policy_says_no(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look]) as bench:
        await bench.pipeline.run(call_of(), run_by())
        for pipeline, status in (
            (bench.with_rules(DENY_LOOK), Status.DENIED),
            (bench.with_rules(ASK_LOOK), Status.APPROVAL_REQUIRED),
            (bench.with_rules(roles=(RoleSpec("operator", ("change",), Risk.HIGH),)), Status.DENIED),
        ):
            assert (await pipeline.run(call_of(), run_by())).status is status


async def test_a_changed_policy_forgets_what_was_cached(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look]) as bench:
        await bench.pipeline.run(call_of(), run_by())
        extra = Rule("other", BUILT_IN, Verdict.DENY, Match(tools=("other",)), "other")
        assert not (await bench.with_rules(extra).run(call_of(), run_by())).cached
    assert look.ran == 2


async def test_any_change_clears_the_cache_and_a_failed_read_is_not_kept(tmp_path: Path) -> None:
    look, change = Look(), Change()
    async with open_bench(tmp_path, [look, change]) as bench:
        await bench.pipeline.run(call_of(), run_by())
        await bench.pipeline.run(call_of("change", "/elsewhere"), run_by())
        assert not (await bench.pipeline.run(call_of(), run_by())).cached
        look.act = giving(ToolOutput("no", ok=False))
        for _ in range(2):
            assert not (await bench.pipeline.run(call_of(path="/srv/z"), run_by())).cached
        assert not (await bench.pipeline.run(call_of("change"), run_by())).cached
        assert not (await bench.pipeline.run(call_of("change"), run_by())).cached
    assert (look.ran, change.ran) == (4, 3)


async def test_secrets_in_output_and_errors_reach_neither_caller_nor_record(tmp_path: Path) -> None:
    output = ToolOutput(f"token {SECRET} here", metadata={"seen": SECRET, "exit_code": 0})
    look, change = Look(giving(output)), Change(failing(ToolFailedError(f"cannot use {SECRET}")))
    async with open_bench(tmp_path, [look, change]) as bench:
        steps = [
            await bench.pipeline.run(call_of(), run_by()),
            await bench.pipeline.run(call_of(), run_by()),
            await bench.pipeline.run(call_of("change"), run_by()),
            await bench.pipeline.run(call_of("look", SECRET), run_by()),
        ]
        assert SECRET not in "".join(step.text + str(step.metadata) for step in steps)
        assert SECRET not in str([entry.as_dict() for entry in await bench.records()])
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


async def test_a_registered_secret_is_hidden_whatever_it_looks_like(tmp_path: Path) -> None:
    look = Look(giving(ToolOutput("the word is swordfish-swordfish")))
    async with open_bench(tmp_path, [look]) as bench:
        bench.redactor.register("swordfish-swordfish", "db password")
        assert "swordfish" not in (await bench.pipeline.run(call_of(), run_by())).text


async def test_autonomous_runs_go_without_asks_only_for_roles_that_hold_it(tmp_path: Path) -> None:
    holder = RoleSpec("operator", ("look", "change", "destroy", "autonomous"), Risk.MEDIUM)
    look, destroy = Look(), Destroy()
    async with open_bench(tmp_path, [look, destroy], ASK_LOOK) as bench:
        lacking = await bench.pipeline.run(call_of(), run_by(autonomous=True))
        assert lacking.status is Status.APPROVAL_REQUIRED
        holding = bench.with_rules(ASK_LOOK, roles=(holder,))
        assert (await holding.run(call_of(), run_by(autonomous=False))).status is Status.APPROVAL_REQUIRED
        allowed = await holding.run(call_of(), run_by(autonomous=True))
        assert allowed.status is Status.OK
        assert allowed.decision
        assert allowed.decision.ruling.rule_id == "autonomous"
        critical = await holding.run(call_of("destroy"), run_by(autonomous=True))
        assert critical.status is Status.APPROVAL_REQUIRED
        denied = bench.with_rules(DENY_LOOK, roles=(holder,))
        assert (await denied.run(call_of(), run_by(autonomous=True))).status is Status.DENIED
    assert (look.ran, destroy.ran) == (1, 0)


async def test_a_read_only_run_refuses_what_changes_even_with_an_asker(tmp_path: Path) -> None:
    look, change = Look(), Change()
    async with open_bench(tmp_path, [look, change], asker=ScriptedAsker()) as bench:
        step = await bench.pipeline.run(call_of("change"), run_by(read_only=True))
        assert "rule read-only-mode" in step.text
        assert (await bench.pipeline.run(call_of(), run_by(read_only=True))).status is Status.OK
    assert change.ran == 0


async def test_untrusted_text_in_context_makes_a_change_ask(tmp_path: Path) -> None:
    change = Change()
    async with open_bench(tmp_path, [change]) as bench:
        assert (await bench.pipeline.run(call_of("change"), run_by())).status is Status.OK
        tainted = await bench.pipeline.run(call_of("change"), run_by(untrusted=("stdin",)))
        assert tainted.status is Status.APPROVAL_REQUIRED
        (held,) = await bench.pipeline.approvals.list()
        assert "untrusted text is in context (stdin)" in held.because
        assert held.untrusted == ("stdin",)
    assert change.ran == 1


async def test_only_looks_is_true_for_allowed_calls_without_any_effect_outside(tmp_path: Path) -> None:
    far = Look(effects=lambda args: Effects(hosts=("example.org:443",) if "far" in args.path else ("unix:/run/x",)))
    async with open_bench(tmp_path, [far, Change(), Destroy()]) as bench:
        only_looks = bench.pipeline.only_looks
        assert only_looks(call_of("look", "/near"), run_by())
        assert not only_looks(call_of("look", "/far"), run_by())
        assert not only_looks(call_of("change"), run_by())
        assert not only_looks(call_of("destroy"), run_by())
        assert not only_looks(call_of("nosuch"), run_by())
        assert not only_looks(call_of("look", 5), run_by())
        assert not only_looks(call_of("look", "/near"), run_by("mallory"))


async def test_may_play_asks_the_skill_lists_alone(tmp_path: Path) -> None:
    from dataclasses import replace

    denied = Rule("no-disk", BUILT_IN, Verdict.DENY, Match(skills=("disk",)), "no")
    listed = Rule("some", BUILT_IN, Verdict.DENY, Match(unless_skills=("net",)), "no")
    async with open_bench(tmp_path, [Look()], DENY_LOOK) as bench:
        run = run_by()
        assert bench.pipeline.may_play(replace(run, skill="disk"))
        assert not bench.with_rules(denied).may_play(replace(run, skill="disk"))
        assert bench.with_rules(denied).may_play(replace(run, skill="net"))
        assert not bench.with_rules(listed).may_play(replace(run, skill="disk"))
        assert bench.with_rules(listed).may_play(replace(run, skill="net"))


async def test_reject_records_a_call_that_could_not_be_read(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Look()]) as bench:
        step = await bench.pipeline.reject(call_of(), run_by(), "cut off")
        assert (step.status, step.text) == (Status.INVALID, "Invalid: cut off")
        assert await bench.results() == ["invalid"]


async def test_resume_runs_the_frozen_call_once_in_its_requesters_name(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK) as bench:
        held = await bench.pipeline.run(call_of(), run_by("ann"))
        assert held.approval_id
        approval, step = await bench.pipeline.resume(held.approval_id[:8], Principal("ben"))
        assert (step.status, step.approval_id) == (Status.OK, held.approval_id)
        assert approval.status == "consumed"
        assert (look.permits[0].user, look.permits[0].approved_by) == ("ann", "ben")
        assert await bench.results() == ["approval_pending", "approved", "intent", "success"]
        assert {e.record.approved_by for e in (await bench.records())[1:]} == {"ben"}
        assert {e.record.user for e in await bench.records()} == {"ann"}
        assert (await bench.pipeline.approvals.get(held.approval_id)).outcome == "ok"
        with pytest.raises(ConflictError, match="already used"):
            await bench.pipeline.resume(held.approval_id, Principal("ben"))
    assert look.ran == 1


async def test_resume_refuses_what_policy_denies_by_now_and_says_so(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK) as bench:
        held = await bench.pipeline.run(call_of(), run_by())
        assert held.approval_id
        stricter = bench.with_rules(ASK_LOOK, DENY_LOOK)
        approval, step = await stricter.resume(held.approval_id, Principal("ben"))
        assert step.status is Status.DENIED
        assert step.text == "Refused: nobody looks (rule no-look, a.yaml:3)"
        assert (await bench.pipeline.approvals.get(approval.id)).outcome == "denied"
        assert (await bench.results())[-1] == "policy_denied"
        with pytest.raises(ConflictError):
            await bench.pipeline.resume(held.approval_id, Principal("ben"))
    assert look.ran == 0


async def test_resume_of_a_call_that_no_longer_fits_its_tool_is_invalid(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK) as bench:
        held = await bench.pipeline.run(call_of(), run_by())
        assert held.approval_id
        await bench.db.write(lambda c: c.execute("UPDATE approvals SET arguments = :a", {"a": '{"path": "relative"}'}))
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ben"))
        assert step.status is Status.INVALID
        assert (await bench.results())[-1] == "invalid"
    assert look.ran == 0


async def test_resume_refuses_arguments_that_were_changed_in_the_store(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK) as bench:
        held = await bench.pipeline.run(call_of(), run_by())
        assert held.approval_id
        await bench.db.write(
            lambda c: c.execute("UPDATE approvals SET arguments = :a", {"a": '{"path": "/etc/shadow"}'})
        )
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ben"))
        assert (step.status, "differs from what was approved" in step.text) == (Status.DENIED, True)
    assert look.ran == 0


async def test_resume_of_what_was_denied_or_has_expired_runs_nothing(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, [look], ASK_LOOK, ttl_seconds=60) as bench:
        first = await bench.pipeline.run(call_of(id="a"), run_by())
        second = await bench.pipeline.run(call_of(id="b"), run_by())
        assert first.approval_id
        assert second.approval_id
        await bench.pipeline.refuse(first.approval_id, Principal("ben"), "no")
        with pytest.raises(ConflictError, match="already denied by ben"):
            await bench.pipeline.resume(first.approval_id, Principal("ben"))
        bench.clock.move(60)
        with pytest.raises(ConflictError, match="has expired"):
            await bench.pipeline.resume(second.approval_id, Principal("ben"))
        assert await bench.results() == ["approval_pending", "approval_pending", "denied"]
    assert look.ran == 0


async def test_the_requester_of_a_grave_call_from_elsewhere_cannot_resume_it(tmp_path: Path) -> None:
    destroy = Destroy()
    async with open_bench(tmp_path, [destroy]) as bench:
        held = await bench.pipeline.run(call_of("destroy"), run_by("ann", source=Source.HTTP))
        assert held.approval_id
        with pytest.raises(PolicyDeniedError, match="four_eyes"):
            await bench.pipeline.resume(held.approval_id, Principal("ann", Source.CLI))
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ben", Source.HTTP))
        assert step.status is Status.OK
    assert destroy.ran == 1


async def test_a_resumed_call_is_still_subject_to_the_budget(tmp_path: Path) -> None:
    look, change = Look(), Change(giving(ToolOutput("dear", cost_usd=5.0)))
    async with open_bench(tmp_path, [look, change], ASK_LOOK, limit_usd=1.0) as bench:
        held = await bench.pipeline.run(call_of(), run_by())
        assert held.approval_id
        await bench.pipeline.run(call_of("change"), run_by())
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ben"))
        assert step.status is Status.BUDGET_EXCEEDED
    assert look.ran == 0


async def test_twenty_people_approving_at_once_run_the_call_once(tmp_path: Path) -> None:
    change = Change()
    ask = Rule("ask", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask")
    async with open_bench(tmp_path, [change], ask) as bench:
        held = await bench.pipeline.run(call_of("change"), run_by())
        assert held.approval_id
        tries = (bench.pipeline.resume(held.approval_id, Principal(f"p{n}")) for n in range(20))
        done = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(one, tuple) for one in done) == 1
        assert all(isinstance(one, tuple | ConflictError) for one in done)
    assert change.ran == 1


async def test_who_changes_a_held_call_owns_it_and_needs_somebody_else_to_approve_it(tmp_path: Path) -> None:
    tool = Destroy()
    async with open_bench(tmp_path, [tool]) as bench:
        held = await bench.pipeline.run(call_of("destroy"), run_by("ann", source=Source.HTTP))
        assert held.approval_id is not None
        with pytest.raises(PolicyDeniedError, match="four_eyes"):
            await bench.pipeline.amend(held.approval_id, {"path": "/srv/other"}, Principal("ben", Source.HTTP))
        assert tool.ran == 0
        waiting = [a for a in await bench.pipeline.approvals.list() if a.status == "pending"]
        assert [(a.user, a.arguments["path"]) for a in waiting] == [("ben", "/srv/other")]


async def test_a_change_that_does_not_fit_leaves_the_held_call_as_it_is(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Destroy()]) as bench:
        held = await bench.pipeline.run(call_of("destroy"), run_by("ann", source=Source.HTTP))
        assert held.approval_id is not None
        with pytest.raises(InvalidArgumentsError):
            await bench.pipeline.amend(held.approval_id, {"nope": 1}, Principal("ben", Source.HTTP))
        assert (await bench.pipeline.approvals.get(held.approval_id)).status == "pending"
