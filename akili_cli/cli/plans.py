"""Shows a plan whole: every step with its change, where, what it would do, whether it can be undone, and the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from akili_cli.cli.card import argument_lines, effects_line, moment, straight, visible

Present = Callable[[str, Mapping[str, object]], str | None]


def no_present(_tool: str, _effects: Mapping[str, object]) -> None:
    """Know no file as it is now."""
    return


def plan_lines(plan: Mapping[str, object], present: Present = no_present) -> list[str]:
    """Give the lines of a plan as ``Plan.as_dict`` gives it; an empty one says so.

    ``present`` gives the text of the file that a write would replace, so that the write is shown as a change.
    """
    steps = plan.get("steps")
    if not isinstance(steps, list) or not steps:
        return ["The plan is empty: nothing would change."]
    plural = "" if len(steps) == 1 else "s"
    lines = [
        f"{plan['id']}  ({len(steps)} step{plural}, {plan['status']}, expires {moment(_number(plan['expires_at']))})",
        f"sha256     {plan['hash']}",
    ]
    for step in steps:
        lines += _step_lines(step, present)
    lines.append(f"cost       ${_number(plan['cost_usd']):.4f} for its tools")
    return [visible(line) for line in lines]


def _step_lines(step: Mapping[str, object], present: Present) -> list[str]:
    effects, arguments, untrusted = step["effects"], step["arguments"], step["untrusted"]
    assert isinstance(effects, Mapping)
    assert isinstance(arguments, Mapping)
    assert isinstance(untrusted, list)
    undo = "can be undone" if step["reversible"] else "CANNOT be undone"
    cost = f", costs ${_number(step['cost_usd']):.4f}" if step["cost_usd"] else ""
    body = [
        *argument_lines(arguments, present(str(step["tool"]), effects)),
        f"where      {straight(str(step['host']))}:{straight(str(step['cwd']))}",
        f"effects    {effects_line(effects)}",
        f"rule       {step['rule']} ({step['origin']}): {step['because']}",
    ]
    if untrusted:
        body.append(f"untrusted  in context: {straight(', '.join(map(str, untrusted)))}")
    head = f"{str(step['step']).rjust(3)}. {step['tool']}  risk {step['risk']}, {undo}{cost}  ({step['status']})"
    return [head, *(f"     {line}" for line in body)]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
