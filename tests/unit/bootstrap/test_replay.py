from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.bootstrap.replay import is_replayable, recorded_effects, replayed
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.domain.calls import Principal, Source, call_digest
from akili_cli.domain.errors import ConflictError
from tests.fakes.policies import judge_from

ARGUMENTS = {"command": "cat /srv/x"}


def entry(**fields: object) -> AuditEntry:
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


def test_whole_arguments_are_read_again(tmp_path: Path) -> None:
    again = replayed(entry(), judge_from(tmp_path))
    assert not again.approximate
    assert again.action.at == 7.0
    assert again.action.run.principal.source is Source.REPL
    assert again.action.effects.commands[0].path is not None


def test_shortened_arguments_fall_back_to_the_recorded_effects(tmp_path: Path) -> None:
    again = replayed(entry(parameters={"command": "cat [...]"}), judge_from(tmp_path))
    assert again.approximate
    assert again.action.effects.reads == ("/srv/x",)
    assert again.action.effects.commands[0].argv == ("cat", "/srv/x")


def test_arguments_the_tool_no_longer_takes_fall_back_too(tmp_path: Path) -> None:
    arguments = {"command": "cat /srv/x", "shell": "zsh"}
    digest = call_digest(Principal("ann"), "shell_exec", arguments)
    assert replayed(entry(parameters=arguments, digest=digest), judge_from(tmp_path)).approximate


def test_the_mode_of_the_run_is_told_from_the_rules(tmp_path: Path) -> None:
    rules = ("deny read-only-mode@built-in", "allow autonomous@built-in")
    run = replayed(entry(rules=rules), judge_from(tmp_path)).action.run
    assert (run.read_only, run.autonomous) == (True, True)


def test_a_risk_that_only_outside_text_explains_means_that_there_was_some(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    assert replayed(entry(risk="medium"), judge).action.run.untrusted == ("recorded",)
    assert replayed(entry(risk="low"), judge).action.run.untrusted == ()
    assert replayed(entry(risk="critical"), judge).action.run.untrusted == ()


def test_a_record_without_effects_is_opaque() -> None:
    assert recorded_effects({}).opaque is not None
    assert recorded_effects({"opaque": "eval", "reversible": False}).opaque == "eval"
    assert not recorded_effects({"reversible": False}).reversible
    assert recorded_effects({"commands": [[]], "reads": "x"}).commands[0].program == "''"


def test_what_was_never_decided_or_names_no_tool_is_refused(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    with pytest.raises(ConflictError, match="not about a call"):
        replayed(entry(verdict=""), judge)
    with pytest.raises(ConflictError, match="no tool 'gone'"):
        replayed(entry(tool="gone"), judge)
    assert replayed(entry(source="odd"), judge).action.run.principal.source is Source.CLI


def test_only_outcomes_of_decided_calls_are_replayed() -> None:
    assert is_replayable(entry())
    assert not is_replayable(entry(kind=Kind.CALL_INTENT))
    assert not is_replayable(entry(result=Result.INVALID))
    one = entry()
    assert not is_replayable(replace(one, record=replace(one.record, verdict="")))
