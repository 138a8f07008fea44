"""Reads what a tool answered: whether it says anything about the host, and what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from akili_cli.domain.messages import ToolResultBlock
from akili_cli.features.runbooks.capture import Row, capture_rows
from akili_cli.features.runbooks.findings import Judgement, clean, judge
from akili_cli.features.runbooks.model import Severity, Step, StepStatus

NOT_FOUND_EXIT = 127
NOT_EXECUTABLE_EXIT = 126

_EXIT = re.compile(r"(?:\A|\n)\[exit (-?\d{1,6})\]\s*\Z")
_END_NOTE = re.compile(r"\[(exit code -?\d+[^\n]*|stopped after the timeout of [^\n]*)\]")
_CUT_NOTE = re.compile(
    r"\[the output was too long: its middle is missing\]|\[\.\.\. \d+ bytes left out \.\.\.\]|\[cut: [^\n]*\]"
)
_ABSENT = re.compile(
    r"command not found|: not found|permission denied|operation not permitted|no such file or directory|"
    r"does not exist|not been booted with systemd|failed to connect to bus|no tool named|unknown tool",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step, all its repetitions together."""

    status: StepStatus
    reason: str = ""
    rows: tuple[Row, ...] = ()
    judged: Judgement = field(default_factory=Judgement)

    @property
    def severity(self) -> Severity:
        """The worst finding; ok when the step was checked and found nothing."""
        found = [one.severity for one in self.judged.findings]
        default = Severity.OK if self.status is StepStatus.OK else Severity.UNKNOWN
        return max(found, key=lambda one: one.rank, default=default)


@dataclass(frozen=True, slots=True)
class Output:
    """A tool's answer in its parts. ``exit_code`` is None when the call failed without one.

    ``complaints`` is what the program wrote to its error stream, ``note`` how it ended, ``cut`` whether a part
    is missing.
    """

    text: str
    complaints: str
    note: str
    exit_code: int | None
    cut: bool

    @property
    def last_words(self) -> str:
        """The line that most likely says what went wrong."""
        if self.note.startswith("stopped"):
            return self.note
        said = (self.complaints.strip() or self.text.strip()).split("\n")[-1]
        return clean(said) or self.note


def split_output(result: ToolResultBlock) -> Output:
    """Take a result apart along the marks that the loop and the tools put into it."""
    found = _EXIT.search(result.text)
    code = int(found[1]) if found else None if result.is_error else 0
    lines = (result.text[: found.start()] if found else result.text).rstrip("\n").split("\n")
    note = ""
    if end := _END_NOTE.fullmatch(lines[-1]):
        note = end[1]
        lines.pop()
    kept = [line for line in lines if not _CUT_NOTE.fullmatch(line)]
    cut = len(kept) < len(lines)
    split = max((at for at, line in enumerate(kept) if line == "[stderr]"), default=len(kept))
    text = "\n".join(kept[:split])
    return Output("" if text == "[no output]" else text, "\n".join(kept[split + 1 :]), note, code, cut)


def read_result(step: Step, result: ToolResultBlock, item: str | None) -> Outcome:
    """Judge one result; only an output that is what it should be counts as checked."""
    refusal = _refusal(result)
    if refusal is not None:
        return refusal
    output = split_output(result)
    unusable = _unusable(step, output)
    if unusable is not None:
        return unusable
    try:
        rows = capture_rows(step.capture, output.text)
    except ValueError as error:
        return Outcome(StepStatus.FAILED, str(error))
    if len(rows) < step.min_rows:
        return Outcome(StepStatus.NOT_CHECKED, step.not_checked or "the output does not show enough")
    judged = judge(step, rows, item)
    if judged.problems:
        return Outcome(StepStatus.FAILED, "; ".join(judged.problems), rows, judged)
    return Outcome(StepStatus.OK, _reservation(output), rows, judged)


def _refusal(result: ToolResultBlock) -> Outcome | None:
    if not result.is_error:
        return None
    line = clean(result.text.strip().split("\n")[0])
    for prefix, status in (
        ("Refused:", StepStatus.DENIED),
        ("Waiting for approval", StepStatus.APPROVAL_REQUIRED),
        ("Invalid:", StepStatus.FAILED),
    ):
        if result.text.lstrip().startswith(prefix):
            return Outcome(status, line)
    return None


def _unusable(step: Step, output: Output) -> Outcome | None:
    said = f"{output.text}\n{output.complaints}"
    blind = next((one for one in step.not_checked_when if one.casefold() in said.casefold()), None)
    if blind is not None:
        return Outcome(StepStatus.NOT_CHECKED, step.not_checked or f"the output says: {clean(blind)}")
    code = output.exit_code
    if code in step.ok_exits:
        return None
    last = output.last_words
    if code in (NOT_FOUND_EXIT, NOT_EXECUTABLE_EXIT) or _ABSENT.search((output.complaints or output.text)[:4096]):
        return Outcome(StepStatus.NOT_CHECKED, step.not_checked or last or "the program is missing here")
    parts = [f"exit {code}" if code is not None else "", last]
    return Outcome(StepStatus.FAILED, ": ".join(part for part in parts if part) or "it failed")


def _reservation(output: Output) -> str:
    """Say why a usable output may not be the whole truth."""
    reasons = []
    if output.cut:
        reasons.append("the output was too long and its middle is missing")
    if output.complaints.strip():
        reasons.append(clean(output.complaints.strip().split("\n")[0]))
    return f"in part: {'; '.join(reasons)}" if reasons else ""
