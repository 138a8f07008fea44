"""``akili policy prove``: the table of every rule against every entry point."""

from __future__ import annotations

from pathlib import Path

from akili_cli.bootstrap.ground import Rewire, open_ground
from akili_cli.bootstrap.prove import MISSING, RuleProof, prove
from akili_cli.cli import render
from akili_cli.cli.opening import start
from akili_cli.cli.policy.calls import line_of_call
from akili_cli.cli.policy.entrances import ENTRANCES
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace


async def prove_policy(config: Path | None, as_json: bool, *, rewire: Rewire | None = None) -> int:
    """Prove and print; gives the exit code, 1 when a rule does not fire somewhere it should."""
    began = start()
    workspace = open_workspace(began.env)
    named = began.config_path if config is None else str(config)
    loaded = load_settings(began.env, config_path=named, overrides={}, cwd=began.cwd, workspace=workspace)
    async with open_ground(began, loaded, workspace, rewire=rewire) as ground:
        proofs = await prove(ground, ENTRANCES)
    wrong = [proof for proof in proofs if not proof.holds]
    if as_json:
        render.out_json([_as_dict(proof) for proof in proofs])
    else:
        _show(proofs)
    told = f"{len(proofs)} rules, {len(ENTRANCES)} entry points, {len(wrong)} rules not seen everywhere they should be"
    render.talk(told, "red" if wrong else "green")
    return 1 if wrong else 0


def _as_dict(proof: RuleProof) -> dict[str, object]:
    probe = proof.probe
    return {
        "rule": proof.rule.id,
        "origin": str(proof.rule.origin),
        "verdict": str(proof.rule.verdict),
        "holds": proof.holds,
        "probe": None if probe is None else {"tool": probe.tool, "with": dict(probe.arguments), "user": probe.user},
        "entry_points": {name: {"state": cell.state, "note": cell.note} for name, cell in proof.cells.items()},
    }


def _show(proofs: list[RuleProof]) -> None:
    names = [entrance.name for entrance in ENTRANCES]
    rows = [
        (
            proof.rule.id,
            proof.rule.origin,
            proof.rule.verdict,
            *(proof.cells[name].state for name in names),
            "" if proof.probe is None else line_of_call(proof.probe.tool, proof.probe.arguments),
        )
        for proof in proofs
    ]
    render.out_table(("RULE", "WHERE", "VERDICT", *(name.upper() for name in names), "PROBE"), rows)
    for proof in proofs:
        for name, cell in proof.cells.items():
            if cell.state == MISSING:
                render.out(f"MISSING: {proof.rule.id} from {name}: {cell.note}")
    notes = {proof.rule.id: note for proof in proofs if (note := _note(proof))}
    for rule_id, note in notes.items():
        render.talk(f"- {rule_id}: {note}", "dim")


def _note(proof: RuleProof) -> str:
    """Say why a rule is out of reach everywhere; where it is only apart from some entry points, the table says it."""
    told = {cell.note for cell in proof.cells.values()}
    return told.pop() if len(told) == 1 else ""
