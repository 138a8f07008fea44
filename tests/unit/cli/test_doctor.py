from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from akili_cli.cli.opening import opened_state
from akili_cli.core.audit.chain import load_or_create_key
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from tests.fakes.docker_engine import FakeEngine
from tests.unit.cli.conftest import Say


def test_every_area_is_reported(akili: Say) -> None:
    said = akili("doctor", "--json")
    assert said.json["ok"] is (said.code == 0)
    areas = {check["area"] for check in said.json["checks"]}
    assert {"machine", "workspace", "config", "database", "sandbox", "audit", "model", "runbooks"} <= areas
    for check in said.json["checks"]:
        assert check["status"] in ("ok", "missing", "broken")
        assert check["detail"]
    assert "machine: " in akili("doctor").out


def test_a_broken_config_is_a_finding_not_an_end(akili: Say) -> None:
    workspace = Path(os.environ["HOME"]) / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.yaml").write_text("nosuch: 1\n")
    said = akili("doctor", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    assert any("nosuch" in check["detail"] for check in said.json["checks"])


async def _leave_an_intent() -> None:
    async with opened_state() as state:
        key = load_or_create_key(state.workspace.audit_key)
        log = await open_audit_log(state.db, state.workspace.audit_dir, key, state.clock, state.redactor)
        await log.append(AuditRecord(kind=Kind.CALL_INTENT, result=Result.INTENT, run_id="r", call_id="c", tool="t"))
        log._abandon_file()


def test_calls_that_a_crash_interrupted_are_shown_before_and_after_they_were_ended(akili: Say) -> None:
    def finding() -> str:
        (one,) = (check for check in akili("doctor", "--json").json["checks"] if check["area"] == "audit")
        return f"{one['name']}: {one['detail']}; {one['fix']}"

    assert finding().startswith("chain key: ")
    asyncio.run(_leave_an_intent())
    before = finding()
    assert before.startswith("interrupted: 1 actions (t) were under way when akili was killed")
    assert before.endswith("akili audit tail --result intent")
    said = akili("runbooks", "run", "disk-cleanup")
    assert "killed with 1 call under way" in said.err
    assert "killed" not in akili("runbooks", "run", "disk-cleanup").err
    assert finding().endswith("akili audit tail --result interrupted")
    assert '"intent"' in akili("audit", "search", "--result", "interrupted", "--json").out


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ({"down": True}, "the docker daemon does not answer"),
        ({"no_image": True}, "the image akili-runtime:latest cannot"),
    ],
    ids=["daemon down", "image missing"],
)
def test_a_docker_engine_that_cannot_run_anything_is_broken_with_the_reason_and_the_fix(
    akili: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: dict[str, bool], said: str
) -> None:
    engine = FakeEngine(tmp_path / "engine")
    engine.state.mkdir()
    for name, value in engine.env.items():
        monkeypatch.setenv(name, value)
    workspace = Path(os.environ["HOME"]) / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.yaml").write_text("sandbox: {type: docker, docker: {image: 'akili-runtime:latest'}}\n")
    whole = [each for each in akili("doctor", "--json").json["checks"] if each["area"] == "sandbox"]
    assert {each["status"] for each in whole} == {"ok"}
    engine.plan(**failure)
    answer = akili("doctor", "--json")
    (found,) = [each for each in answer.json["checks"] if each["area"] == "sandbox"]
    assert (answer.code, found["name"], found["status"]) == (1, "docker", "broken")
    assert said in found["detail"]
    assert found["fix"]
