from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from akili_cli.features.runbooks.findings import Fact, Finding
from akili_cli.features.runbooks.model import Severity, StepStatus
from akili_cli.features.runbooks.report import (
    NO_MODEL,
    CheckedStep,
    FinalReport,
    UncheckedStep,
    overall,
    summarise,
)

WARNING = Finding(Severity.WARNING, "disk", "/ is 85% full", "/dev/sda 85% /", "clean up")
INFO = Finding(Severity.INFO, "disk", "small", "")


def gap(status: StepStatus) -> UncheckedStep:
    return UncheckedStep("x", "x", status, "because")


@pytest.mark.parametrize(
    ("findings", "checked", "gaps", "severity"),
    [
        ((), 3, (), "ok"),
        ((), 3, (gap(StepStatus.NOT_CHECKED),), "ok"),
        ((), 1, (gap(StepStatus.NOT_CHECKED),) * 2, "unknown"),
        ((), 0, (), "unknown"),
        ((), 5, (gap(StepStatus.DENIED),), "unknown"),
        ((), 5, (gap(StepStatus.APPROVAL_REQUIRED),), "unknown"),
        ((), 5, (gap(StepStatus.FAILED),), "unknown"),
        ((INFO,), 5, (gap(StepStatus.DENIED),), "unknown"),
        ((INFO,), 5, (), "info"),
        ((INFO, WARNING), 5, (gap(StepStatus.FAILED),), "warning"),
    ],
)
def test_what_was_not_looked_at_is_never_healthy(
    findings: tuple[Finding, ...], checked: int, gaps: tuple[UncheckedStep, ...], severity: str
) -> None:
    assert overall(findings, checked, gaps) == severity


def test_the_summary_counts_and_names_the_worst() -> None:
    assert summarise("Disk", (INFO, WARNING), 2, (gap(StepStatus.DENIED),)) == (
        "Disk: 1 warning, 1 info in 2 checks: / is 85% full; 1 denied."
    )
    assert summarise("Disk", (), 1, ()) == "Disk: no problem found in 1 check."
    assert summarise("Disk", (), 0, (gap(StepStatus.NOT_CHECKED),)) == "Disk: nothing could be checked; 1 not checked."


def report() -> FinalReport:
    return FinalReport(
        runbook="disk",
        name="Disk",
        severity=Severity.WARNING,
        summary="Disk: bad.",
        facts=(Fact("disk", "Disk", "/ 85%"),),
        findings=(WARNING,),
        checked=(CheckedStep("disk", "disk space"),),
        not_checked=(UncheckedStep("units", "units", StepStatus.DENIED, "Refused: no (rule x)"),),
        next_steps=("look again",),
    )


def test_the_markdown_holds_everything_and_says_that_no_model_was_used() -> None:
    text = report().text
    for part in ("**WARNING** Disk: bad.", "/ is 85% full (clean up)", "seen: `/dev/sda 85% /`", "Disk: / 85%"):
        assert part in text
    assert "- units: **denied** Refused: no (rule x)" in text
    assert "- look again" in text
    assert NO_MODEL in text


def test_the_json_form_fits_the_published_schema() -> None:
    path = Path(__file__).parents[4] / "akili_cli/features/runbooks/report.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(report().report_dict())), schema)


def test_output_cannot_pose_as_markup_of_the_report() -> None:
    evil = "`x` **OK** [click](http://evil) <b>hi</b>"
    one = FinalReport("r", "R", Severity.INFO, "s", findings=(Finding(Severity.INFO, "a", evil, evil + "!"),))
    line = next(line for line in one.text.splitlines() if line.startswith("- **info**"))
    assert r"\`x\` \*\*OK\*\* [click\](http://evil) \<b>hi\</b>" in line
    seen = next(line for line in one.text.splitlines() if "seen:" in line)
    assert seen.count("`") == 2
