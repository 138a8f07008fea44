from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.core.approvals.request import Request
from akili_cli.core.audit.model import Kind, Result
from akili_cli.core.execution.recording import (
    MAX_LABELS,
    effects_as_recorded,
    effects_from,
    interrupted_of,
    outcome_of,
    record_of,
)
from akili_cli.core.sandbox.watched import Execution
from akili_cli.domain.calls import Run, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Decision, RuleHit, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.risk import Risk
from tests.fakes.wiring import call_of, run_by

HIT = RuleHit("r", BUILT_IN, Verdict.ALLOW, "because")


def request(run: Run, effects: Effects = Effects()) -> Request:
    decision = Decision(Verdict.ALLOW, Risk.LOW, (HIT,))
    return Request(call_of(), run, effects, decision, "d" * 64, role="operator", at=7.0)


def test_a_record_says_who_asked_and_how() -> None:
    run = replace(run_by(agent="bot", untrusted=("stdin",), autonomous=True, read_only=True), plan=True, skill="deploy")
    record = record_of(request(run), Result.INTENT)
    assert (record.kind, record.result, record.decided_at) == (Kind.CALL_OUTCOME, Result.INTENT, 7.0)
    assert (record.agent, record.role, record.skill) == ("bot", "operator", "deploy")
    assert (record.mode, record.untrusted) == (("autonomous", "read_only", "plan"), ("stdin",))
    assert (record.verdict, record.risk, record.rule, record.rules) == (
        *("allow", "low", "r@built-in", ("allow r@built-in",)),
    )


def test_what_is_not_there_is_left_out_of_the_written_form() -> None:
    said = record_of(request(run_by()), Result.SUCCESS).details()
    assert said["decided_at"] == 7.0
    assert not {"agent", "skill", "mode", "untrusted", "altered", "error", "approved_by"} & said.keys()


def test_many_labels_are_counted() -> None:
    labels = tuple(f"file /{number}" for number in range(MAX_LABELS + 3))
    record = record_of(request(run_by(untrusted=labels)), Result.SUCCESS)
    assert record.untrusted == (*labels[:MAX_LABELS], "and 3 more")


def test_an_output_is_told_by_its_hash_and_a_failure_by_its_words() -> None:
    intent = record_of(request(run_by()), Result.INTENT, kind=Kind.CALL_INTENT)
    output = ToolOutput("ok", metadata={"layers": ["landlock"]}, cost_usd=0.5)
    done = outcome_of(intent, Result.SUCCESS, output, 0.12345678)
    assert (done.kind, done.result, done.digest) == (Kind.CALL_OUTCOME, Result.SUCCESS, intent.digest)
    assert (done.duration_s, done.cost_usd, done.layers, done.output_bytes) == (0.123457, 0.5, ("landlock",), 2)
    assert (len(done.output_sha256), done.error) == (64, "")
    assert outcome_of(intent, Result.FAILURE, ToolOutput("x" * 900, ok=False), 0.1).error == "x" * 500
    assert outcome_of(intent, Result.SUCCESS, ToolOutput("", metadata={"layers": 3}), 0.1).layers == ()


def test_what_was_measured_on_the_way_is_on_record_and_nothing_else_of_the_metadata() -> None:
    intent = record_of(request(run_by()), Result.INTENT, kind=Kind.CALL_INTENT)
    output = ToolOutput("ok", metadata={"channel_type": "slack", "state": "sent"})
    ran = [Execution("process", "nonzero_exit", 3, 0.5), Execution("docker", "error", None, 0.1)]
    assert outcome_of(intent, Result.SUCCESS, output, 0.1, ran).facts == {
        "channel_type": "slack",
        "executions": [
            {"type": "process", "status": "nonzero_exit", "exit_code": 3, "duration_s": 0.5},
            {"type": "docker", "status": "error", "duration_s": 0.1},
        ],
    }
    assert outcome_of(intent, Result.SUCCESS, ToolOutput("ok"), 0.1).facts == {}


def test_a_cancelled_call_is_told_with_how_long_it_ran() -> None:
    intent = record_of(request(run_by()), Result.INTENT, kind=Kind.CALL_INTENT)
    cut = interrupted_of(intent, 0.5)
    assert (cut.kind, cut.result, cut.duration_s) == (Kind.CALL_OUTCOME, Result.INTERRUPTED, 0.5)


@pytest.mark.parametrize(
    "effects",
    [
        Effects(),
        Effects(reads=("/a",), writes=("/b",), deletes=("/c",), hosts=("h:1",), nodes=("n",), reversible=False),
        Effects(secrets=("s",), channels=("c",), servers=("m",), opaque="eval"),
        Effects(commands=(Command("cat", ("cat", "x"), "/usr/bin/cat", ("sudo", "env")), Command("", (), None))),
    ],
    ids=["none", "places", "services", "commands"],
)
def test_recorded_effects_come_back_as_they_were(effects: Effects) -> None:
    assert effects_from(effects_as_recorded(effects)) == effects


def test_old_and_odd_effects_are_read_as_far_as_they_go() -> None:
    assert effects_from({}).opaque is not None
    assert effects_from({"opaque": "eval", "reversible": False}).opaque == "eval"
    assert not effects_from({"reversible": False}).reversible
    assert effects_from({"commands": [[]], "reads": "x"}).commands[0].program == "''"
    old = effects_from({"commands": [["/bin/cat", "x"]], "programs": []}).commands[0]
    assert (old.program, old.path) == ("cat", "/bin/cat")
    assert effects_from({"commands": [["cat"]], "programs": [["cat"]]}).commands[0].path is None
