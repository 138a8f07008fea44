from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.bootstrap.rulings import Asked
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.policies import NOON, judge_from


def test_a_call_nobody_makes_is_decided_as_a_real_one(tmp_path: Path) -> None:
    judge = judge_from(tmp_path)
    asked = Asked(tool="file_read", arguments={"path": "/srv/x"}, user="vic", source=Source.REPL, untrusted=("web",))
    action = judge.action(asked)
    assert (action.role, action.at, action.effects.reads) == ("viewer", NOON, ("/srv/x",))
    assert action.run.principal.source is Source.REPL
    assert judge.decide(asked).verdict is Verdict.ALLOW
    assert judge.decide(Asked(tool="file_read", arguments={"path": "/opt/x"}, user="vic")).verdict is Verdict.DENY
    assert judge.action(Asked(tool="file_read", arguments={"path": "/srv/x"}, at=7.0)).at == 7.0


def test_what_is_no_call_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        judge_from(tmp_path).decide(Asked(tool="file_raed"))
