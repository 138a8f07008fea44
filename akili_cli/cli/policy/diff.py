"""``akili policy diff``: which decisions differ between two config files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from akili_cli.bootstrap.app import State
from akili_cli.bootstrap.cases import asked_of, everyday_calls
from akili_cli.bootstrap.probes import Places, probes_of
from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.cli import render
from akili_cli.cli.opening import opened_state, principal
from akili_cli.cli.policy.calls import line_of_call
from akili_cli.cli.policy.opening import judge_of
from akili_cli.config.cases import load_cases
from akili_cli.domain.decisions import Decision, Verdict
from akili_cli.domain.errors import InvalidArgumentsError

STRENGTH = (Verdict.ALLOW, Verdict.ASK, Verdict.DENY)


@dataclass(frozen=True, slots=True)
class Difference:
    """A call that two policies decide differently."""

    asked: Asked
    before: Decision
    after: Decision

    @property
    def wider(self) -> bool:
        """Whether the second policy lets more happen."""
        return STRENGTH.index(self.after.verdict) < STRENGTH.index(self.before.verdict)

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""
        asked = self.asked
        return {
            "tool": asked.tool,
            "arguments": dict(asked.arguments),
            "user": asked.user,
            "agent": asked.agent,
            "source": str(asked.source),
            "untrusted": list(asked.untrusted),
            "read_only": asked.read_only,
            "autonomous": asked.autonomous,
            "before": str(self.before.verdict),
            "after": str(self.after.verdict),
            "rule_before": f"{self.before.ruling.rule_id}@{self.before.ruling.origin}",
            "rule_after": f"{self.after.ruling.rule_id}@{self.after.ruling.origin}",
            "wider": self.wider,
        }


async def diff_policies(old: Path, new: Path, cases: list[Path], as_json: bool) -> bool:
    """Print the differences; tells whether there are any."""
    more = [case for path in cases for case in load_cases(path, judged=False)]
    me = principal().user
    async with opened_state() as state:
        judges = judge_of(state, old), judge_of(state, new)
        calls = [asked_of(placed.call, me) for placed in (*everyday_calls(), *more)]
        found = differences(judges, [*calls, *_probes(judges, state)])
    if as_json:
        render.out_json([one.as_dict() for one in found])
    elif found:
        render.out_table(
            ("", "CALL", "WHO", "BEFORE", "AFTER", "RULE BEFORE", "RULE AFTER"),
            [
                (
                    "WIDER" if one.wider else "",
                    line_of_call(one.asked.tool, one.asked.arguments),
                    _who(one.asked),
                    one.before.verdict,
                    one.after.verdict,
                    one.before.ruling.rule_id,
                    one.after.ruling.rule_id,
                )
                for one in found
            ],
        )
    wider = sum(one.wider for one in found)
    render.talk(f"{len(found)} decisions differ, {wider} of them wider")
    return bool(found)


def _probes(judges: tuple[Judge, Judge], state: State) -> list[Asked]:
    places = Places(None, str(state.start.cwd))
    return [probe for judge in judges for probe in probes_of(judge, places)]


def _who(asked: Asked) -> str:
    marks = (("read-only", asked.read_only), ("autonomous", asked.autonomous), ("untrusted", bool(asked.untrusted)))
    return " ".join([asked.user, *([asked.agent] if asked.agent else []), *(name for name, on in marks if on)])


def differences(judges: tuple[Judge, Judge], calls: list[Asked]) -> list[Difference]:
    """Give the calls that are decided differently, each once; a call that only one policy's tools take counts not."""
    found: dict[str, Difference] = {}
    for asked in calls:
        try:
            before, after = judges[0].decide(asked), judges[1].decide(asked)
        except InvalidArgumentsError:
            continue
        if before.verdict is not after.verdict:
            found.setdefault(repr(asked), Difference(asked, before, after))
    return sorted(found.values(), key=lambda one: not one.wider)
