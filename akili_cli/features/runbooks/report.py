"""What a played runbook answers: facts, findings, and plainly what was not looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from akili_cli.features.runbooks.findings import Fact, Finding
from akili_cli.features.runbooks.model import Severity, StepStatus

SCHEMA = "akili.runbook-report/1"
NO_MODEL = "No language model was used"

_MARKS = re.compile(r"([\\`*])|<(?=[A-Za-z/!?])|\](?=[(\[])")


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """A step whose output was judged."""

    step: str
    title: str


@dataclass(frozen=True, slots=True)
class UncheckedStep:
    """A step that says nothing about the host, and why."""

    step: str
    title: str
    status: StepStatus
    reason: str


@dataclass(frozen=True, slots=True)
class FinalReport:
    """The end of a play. ``runbook`` is empty when none matched; then ``next_steps`` says what can be done."""

    runbook: str
    name: str
    severity: Severity
    summary: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()
    checked: tuple[CheckedStep, ...] = ()
    not_checked: tuple[UncheckedStep, ...] = ()
    next_steps: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The report as Markdown."""
        return render_markdown(self)

    def report_dict(self) -> dict[str, object]:
        """Give the JSON-ready form that ``report.schema.json`` describes."""
        return {
            "schema": SCHEMA,
            "runbook": self.runbook or None,
            "name": self.name,
            "severity": str(self.severity),
            "summary": self.summary,
            "model_used": False,
            "inputs": dict(self.inputs),
            "facts": [{"step": one.step, "label": one.label, "text": one.text} for one in self.facts],
            "findings": [
                {
                    "severity": str(one.severity),
                    "step": one.step,
                    "text": one.text,
                    "evidence": one.evidence,
                    "then": one.then,
                }
                for one in self.findings
            ],
            "checked": [{"step": one.step, "title": one.title} for one in self.checked],
            "not_checked": [
                {"step": one.step, "title": one.title, "status": str(one.status), "reason": one.reason}
                for one in self.not_checked
            ],
            "next_steps": list(self.next_steps),
        }


def overall(findings: tuple[Finding, ...], checked: int, unchecked: tuple[UncheckedStep, ...]) -> Severity:
    """Give the worst of all. What was refused or failed, or mostly not looked at, is unknown, never healthy."""
    worst = [one.severity for one in findings]
    if len(unchecked) > checked or not checked or any(one.status is not StepStatus.NOT_CHECKED for one in unchecked):
        worst.append(Severity.UNKNOWN)
    return max(worst, key=lambda one: one.rank, default=Severity.OK)


def summarise(name: str, findings: tuple[Finding, ...], checked: int, unchecked: tuple[UncheckedStep, ...]) -> str:
    """Say it in one sentence."""
    done = f"{checked} check{'' if checked == 1 else 's'}"
    counts = {
        level: sum(1 for one in findings if one.severity is level)
        for level in (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
    }
    found = ", ".join(f"{number} {level}" for level, number in counts.items() if number)
    if not checked:
        head = f"{name}: nothing could be checked"
    elif found:
        worst = max(findings, key=lambda one: one.severity.rank)
        head = f"{name}: {found} in {done}: {worst.text}"
    else:
        head = f"{name}: no problem found in {done}"
    tail = f"; {_unchecked_words(unchecked)}" if unchecked else ""
    return f"{head}{tail}."


def _unchecked_words(unchecked: tuple[UncheckedStep, ...]) -> str:
    words = {
        StepStatus.NOT_CHECKED: "not checked",
        StepStatus.DENIED: "denied",
        StepStatus.APPROVAL_REQUIRED: "waiting for approval",
        StepStatus.FAILED: "failed",
        StepStatus.SKIPPED: "not played",
    }
    parts = []
    for status, word in words.items():
        number = sum(1 for one in unchecked if one.status is status)
        if number:
            parts.append(f"{number} {word}")
    return ", ".join(parts)


def render_markdown(report: FinalReport) -> str:
    """Write the report for a terminal; nothing in a command's output can pose as the report's own markup."""
    lines = [f"**{str(report.severity).upper()}** {_plain(report.summary)}", ""]
    if report.findings:
        lines += ["### Findings", ""]
        for one in sorted(report.findings, key=lambda one: -one.severity.rank):
            lines.append(f"- **{one.severity}** {_plain(one.text)}" + (f" ({_plain(one.then)})" if one.then else ""))
            if one.evidence and one.evidence != one.text:
                lines.append(f"  - seen: {_code(one.evidence)}")
        lines.append("")
    if report.facts:
        lines += ["### Facts", "", *(f"- {_plain(one.label)}: {_plain(one.text)}" for one in report.facts), ""]
    if report.checked:
        lines += ["### Checked", "", f"- {_plain(', '.join(one.title for one in report.checked))}", ""]
    if report.not_checked:
        lines += ["### Not checked", ""]
        for gap in report.not_checked:
            lines.append(f"- {_plain(gap.title)}: {_status_words(gap.status)}{_plain(gap.reason)}")
        lines.append("")
    if report.next_steps:
        lines += ["### Next steps", "", *(f"- {step}" for step in report.next_steps), ""]
    played = report.checked or report.not_checked
    source = f": this report was made by playing the runbook `{report.runbook}`." if played else "."
    return "\n".join([*lines, f"{NO_MODEL}{source}"]) + "\n"


def _status_words(status: StepStatus) -> str:
    return "" if status is StepStatus.NOT_CHECKED else f"**{status.replace('_', ' ')}** "


def _plain(text: str) -> str:
    return _MARKS.sub(lambda mark: "\\" + mark.group(), text)


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"
