"""Every runbook that ships must be valid, testable, quick to choose, and admitted by the diagnostics rule."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.core.policy.builtin import SYSTEM_SOCKETS, diagnostics
from akili_cli.core.policy.model import Action
from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.calls import Principal, Run
from akili_cli.domain.risk import Risk
from akili_cli.features.runbooks.inputs import fill_arguments, has_values, resolve_inputs
from akili_cli.features.runbooks.rehearsal import rehearse
from akili_cli.features.runbooks.service import PLAY_THRESHOLD, RunbookService
from akili_cli.features.runbooks.shipped import shipped_runbooks_dir
from akili_cli.features.runbooks.source import load_runbook

TOOLS = ("shell_exec", "file_read", "file_write", "git_read", "web_fetch")
FILES = sorted(shipped_runbooks_dir().glob("*.md"))
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "akili_cli/features/runbooks/report.schema.json").read_text(encoding="utf-8")
)
SEED = {
    "incident-triage": ("incident-response", "researcher", "medium"),
    "log-analysis": ("incident-response", "researcher", "low"),
    "service-health-check": ("monitoring", "executor", "medium"),
    "capacity-planning": ("capacity", "researcher", "low"),
    "deployment-rollback": ("deployment", "executor", "high"),
    "deployment-status": ("deployment", "researcher", "low"),
    "database-performance": ("database", "researcher", "low"),
    "cost-optimization": ("cost", "researcher", "low"),
    "certificate-check": ("security", "executor", "medium"),
    "network-diagnostics": ("networking", "executor", "medium"),
}
QUESTIONS = {
    "Is this host healthy?": "service-health-check",
    "is this machine ok": "service-health-check",
    "check the health of the server": "service-health-check",
    "Are all services running?": "service-health-check",
    "Is the server alive and fine?": "service-health-check",
    "what is the status of this host": "service-health-check",
    "Anything wrong with this machine?": "service-health-check",
    "are there any failed systemd units?": "service-health-check",
    "run service-health-check please": "service-health-check",
    "The site is down, triage the incident": "incident-triage",
    "Why is the server so slow?": "incident-triage",
    "the box is not responding, what is going on": "incident-triage",
    "something got oom killed": "incident-triage",
    "we have an outage": "incident-triage",
    "Why was the machine rebooted?": "incident-triage",
    "high load on the host, investigate": "incident-triage",
    "the api crashed": "incident-triage",
    "What errors are in the logs?": "log-analysis",
    "show me the latest errors in the journal": "log-analysis",
    "analyze syslog for error patterns": "log-analysis",
    "find exceptions and stack traces in /var/log": "log-analysis",
    "How often does this error message occur in the log?": "log-analysis",
    "How full are the disks?": "capacity-planning",
    "are we running out of disk space?": "capacity-planning",
    "how much memory is left": "capacity-planning",
    "check inodes and file descriptors": "capacity-planning",
    "Do we have headroom to scale?": "capacity-planning",
    "forecast storage growth": "capacity-planning",
    "Roll back the last deploy": "deployment-rollback",
    "revert to the previous release": "deployment-rollback",
    "the release is broken, rollback to the known good version": "deployment-rollback",
    "What version is deployed?": "deployment-status",
    "which packages were installed recently?": "deployment-status",
    "show me recent changes and releases on this host": "deployment-status",
    "what kernel version is this": "deployment-status",
    "Why are my postgres queries slow?": "database-performance",
    "are there deadlocks in the database?": "database-performance",
    "check mysql lock contention": "database-performance",
    "database has too many connections": "database-performance",
    "Where can we save money?": "cost-optimization",
    "find idle and unused resources": "cost-optimization",
    "is this machine oversized": "cost-optimization",
    "reduce our cloud bill": "cost-optimization",
    "When do our TLS certificates expire?": "certificate-check",
    "is the ssl cert about to expire?": "certificate-check",
    "check certificate renewal": "certificate-check",
    "DNS does not resolve": "network-diagnostics",
    "which ports are open on this host?": "network-diagnostics",
    "Why do we see packet loss?": "network-diagnostics",
    "show ip address and default route": "network-diagnostics",
    "there is no connectivity to the internet": "network-diagnostics",
}
STRANGERS = (
    "Write a poem about the sea",
    "What is the capital of France?",
    "translate good morning into Spanish",
    "hello",
    "thanks!",
    "explain quantum entanglement to a child",
    "12345",
    "",
    "???",
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    db = await open_sqlite(tmp_path / "akili.db")
    yield db
    await db.close()


@pytest.fixture
def service(database: SqliteDatabase) -> RunbookService:
    return RunbookService(database, (shipped_runbooks_dir(),))


def test_the_ten_runbooks_of_the_library_ship_with_their_category_role_and_risk() -> None:
    fronts = {path.stem: load_runbook(path).front for path in FILES}
    assert {slug: (one.category, one.agent_role, one.risk_level) for slug, one in fronts.items()} == SEED


def test_validation_finds_nothing_to_say(service: RunbookService) -> None:
    assert service.validate(tools=TOOLS) == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_outputs_give_the_expected_report(path: Path) -> None:
    result = rehearse(load_runbook(path))
    assert {case.case: case.differences for case in result.cases if case.differences} == {}
    assert len(result.cases) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_report_fits_the_published_schema(path: Path) -> None:
    for case in rehearse(load_runbook(path)).cases:
        jsonschema.validate(json.loads(json.dumps(case.report.report_dict())), SCHEMA)


@pytest.mark.parametrize(
    "path", [one for one in FILES if one.stem != "deployment-rollback"], ids=lambda path: path.stem
)
def test_default_steps_are_admitted_by_the_diagnostics_rule(path: Path) -> None:
    runbook = load_runbook(path)
    inputs = resolve_inputs(runbook.front.inputs, {})
    rule = diagnostics(())
    assert rule.match.condition is not None
    run = Run("r", Principal("u"), "c")
    for step in runbook.all_steps():
        if step.tool != "shell_exec" or not has_values(step, inputs) or step.id == "named_host":
            continue
        command = str(fill_arguments(step, inputs, "/var/log/my app.log" if step.foreach else None)["command"])
        if step.id == "expiry":
            command = command.replace("/var/log", "/etc/ssl/certs")
        effects = shell_effects(command, cwd="/tmp/akili-scratch", home="/root")
        assert set(effects.hosts) <= set(SYSTEM_SOCKETS), step.id
        action = Action("shell_exec", "shell_exec", Risk.HIGH, False, effects, run, "operator", 0.0)
        assert rule.match.condition(action), f"{step.id}: {command}"


async def test_questions_choose_the_right_runbook(service: RunbookService) -> None:
    wrong = {}
    for question, slug in QUESTIONS.items():
        matches = await service.match(question, limit=3, threshold=PLAY_THRESHOLD)
        if not matches or matches[0].slug != slug:
            wrong[question] = [(match.slug, match.score) for match in matches]
    assert wrong == {}


@pytest.mark.parametrize("message", STRANGERS)
async def test_a_message_about_something_else_chooses_nothing(service: RunbookService, message: str) -> None:
    assert await service.match(message, threshold=PLAY_THRESHOLD) == ()
