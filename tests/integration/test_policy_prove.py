"""The strict example proves green; with the enforcement of any one kind of effect removed it does not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akili_cli.bootstrap.app import Start
from akili_cli.bootstrap.ground import Rewire, open_ground
from akili_cli.bootstrap.prove import MISSING, RuleProof, prove
from akili_cli.cli.policy.entrances import ENTRANCES
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace
from akili_cli.core.tools.base import Tool, ToolArgs
from akili_cli.domain.effects import Effects

STRICT = Path(__file__).parents[2] / "examples" / "policy-strict.yaml"
QUERY = ENTRANCES[:1]


class Forgetful:
    """A tool that does not declare one kind of its effects."""

    def __init__(self, tool: Tool[Any], kind: str) -> None:
        self._tool, self._kind = tool, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tool, name)

    def effects(self, args: ToolArgs) -> Effects:
        return replace(self._tool.effects(args), **{self._kind: ()})


def forgetting(kind: str, only: str | None = None) -> Rewire:
    return lambda tool: Forgetful(tool, kind) if only in (None, tool.name) else tool  # type: ignore[return-value]  # by name


async def proved(tmp_path: Path, entrances: Any = QUERY, rewire: Rewire | None = None) -> list[RuleProof]:
    workspace = open_workspace(os.environ)
    loaded = load_settings(os.environ, config_path=str(STRICT), overrides={}, cwd=tmp_path, workspace=workspace)
    start = Start(env=dict(os.environ), cwd=tmp_path)
    async with open_ground(start, loaded, workspace, rewire=rewire) as ground:
        return await prove(ground, entrances)


def missing(proofs: list[RuleProof]) -> dict[str, str]:
    return {p.rule.id: cell.note for p in proofs for cell in p.cells.values() if cell.state == MISSING}


@pytest.mark.timeout(300)
async def test_every_rule_of_the_strict_example_fires_from_every_entry_point(tmp_path: Path) -> None:
    proofs = await proved(tmp_path, ENTRANCES)
    assert missing(proofs) == {}
    assert all(any(cell.state == "ok" for cell in p.cells.values()) for p in proofs)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["reads", "writes", "deletes", "commands", "hosts"])
async def test_a_kind_of_effect_that_is_not_enforced_is_seen(tmp_path: Path, kind: str) -> None:
    assert missing(await proved(tmp_path, rewire=forgetting(kind)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("tool", "kind", "rule"),
    [
        ("file_write", "writes", "production-is-not-written"),
        ("file_read", "reads", "payments-are-private"),
        ("web_fetch", "hosts", "no-metadata-service"),
        ("shell_exec", "deletes", "nothing-is-deleted-in-srv"),
        ("shell_exec", "commands", "no-pushes"),
    ],
)
async def test_one_tool_that_keeps_one_effect_to_itself_is_seen(
    tmp_path: Path, tool: str, kind: str, rule: str
) -> None:
    assert rule in missing(await proved(tmp_path, rewire=forgetting(kind, tool)))
