from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.core.approvals.approvers import Approvers
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import PolicyDeniedError
from tests.unit.cli.test_card import APPROVAL


def approvers(**settings: object) -> Approvers:
    return Approvers(ApprovalSettings.model_validate(settings))


@pytest.mark.parametrize("risk", ["high", "critical"])
def test_who_asked_from_elsewhere_may_not_say_yes_to_what_is_grave(risk: str) -> None:
    asked = replace(APPROVAL, risk=risk, source=Source.HTTP)
    for source in Source:
        with pytest.raises(PolicyDeniedError, match="four_eyes"):
            approvers().check(asked, Principal("kim", source))
        approvers().check(asked, Principal("lee", source))
        approvers(four_eyes=False).check(asked, Principal("kim", source))


@pytest.mark.parametrize("risk", ["low", "medium"])
def test_anybody_may_say_yes_to_the_rest(risk: str) -> None:
    approvers().check(replace(APPROVAL, risk=risk, source=Source.HTTP), Principal("kim", Source.HTTP))


def test_who_asked_at_the_terminal_may_say_yes_there() -> None:
    approvers().check(replace(APPROVAL, source=Source.CLI), Principal("kim", Source.REPL))
    with pytest.raises(PolicyDeniedError):
        approvers().check(replace(APPROVAL, source=Source.CLI), Principal("kim", Source.HTTP))


def test_only_critical_calls_need_a_quorum() -> None:
    needed = [approvers(critical_quorum=3).needed(replace(APPROVAL, risk=r)) for r in ("low", "high", "critical")]
    assert needed == [1, 1, 3]
