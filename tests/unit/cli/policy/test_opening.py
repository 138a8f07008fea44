from __future__ import annotations

from pathlib import Path

from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.opening import opened_state
from akili_cli.cli.policy.opening import judge_of
from akili_cli.domain.decisions import Verdict
from tests.fakes.policies import BASE, config_file


async def test_a_judge_decides_by_the_policy_in_force_or_another(tmp_path: Path) -> None:
    asked = Asked(tool="file_write", arguments={"path": "/srv/x", "content": ""}, user="vic")
    async with opened_state() as state:
        assert judge_of(state).decide(asked).ruling.rule_id == "tools.file.allowed_paths"
        other = judge_of(state, config_file(tmp_path, BASE))
        assert other.decide(asked).verdict is Verdict.DENY
        assert other.decide(asked).ruling.rule_id == "role:viewer/not-permitted"
