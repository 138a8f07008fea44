"""Judges rows: comparisons are data, and what cannot be compared is said, not passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from akili_cli.features.runbooks.capture import Row, dig, kernel_address
from akili_cli.features.runbooks.model import BARE_OPS, Condition, FactRule, FindingRule, Severity, Step
from akili_cli.features.runbooks.patterns import MAX_LINE, bounded

MAX_PER_RULE = 20
MAX_CELL = 300

_NUMBER = re.compile(r"\s*([-+]?\d[\d,]*(?:\.\d+)?|[-+]?\.\d+)\s*([A-Za-z%µ]*)\s*", re.ASCII)
_SIZES = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_HOLE = re.compile(r"\{([^{}|]+)(?:\|(size|kib|age|ipv4))?\}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the person should know; ``evidence`` is the line it was read from."""

    severity: Severity
    step: str
    text: str
    evidence: str
    then: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something the report states: ``label: text``."""

    step: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one output says; ``problems`` are rules that could not be applied to it."""

    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    problems: tuple[str, ...] = ()


def judge(step: Step, rows: tuple[Row, ...], item: str | None = None) -> Judgement:
    """Apply a step's rules to the rows of its output.

    Of several rules on the same cell, the first that holds for a row speaks for it: write the worst first.
    """
    extra: dict[str, object] = {} if item is None else {"item": item}
    findings: list[Finding] = []
    problems: list[str] = []
    taken: set[tuple[object, ...]] = set()
    for rule in step.findings:
        try:
            findings += _apply(rule, step.id, rows, extra, taken)
        except ValueError as error:
            problems.append(str(error))
    facts = []
    for fact in step.facts:
        try:
            facts.append(Fact(step.id, fact.label, _state(fact, rows, extra)))
        except ValueError as error:
            problems.append(str(error))
    return Judgement(tuple(findings), tuple(facts), tuple(dict.fromkeys(problems)))


def select(where: Iterable[Condition], rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Give the rows for which every condition holds; raises ``ValueError`` when one cannot be compared."""
    for condition in where:
        rows = tuple(row for row, _ in _holding(condition, rows))
    return rows


def _apply(
    rule: FindingRule,
    step: str,
    rows: tuple[Row, ...],
    extra: Mapping[str, object],
    taken: set[tuple[object, ...]],
) -> list[Finding]:
    rows = select(rule.where, rows)
    severity = Severity(rule.severity)
    if rule.count or (rule.op in BARE_OPS and rule.column is None and rule.path is None):
        holds = compare(len(rows), rule.op, rule.value) if rule.count else bool(rows) == (rule.op == "present")
        if not holds or ("count", rule.where) in taken:
            return []
        taken.add(("count", rule.where))
        text = fill(rule.say, {**extra, "count": len(rows)})
        return [Finding(severity, step, text, clean(rows[0].raw) if rows else "", rule.then)]
    target = (rule.column, rule.path, rule.percent_of, rule.op in ("contains", "matches") and rule.value)
    hits = [(row, value) for row, value in _holding(rule, rows) if (target, id(row)) not in taken]
    taken.update((target, id(row)) for row, _ in hits)
    out = []
    for row, value in hits[:MAX_PER_RULE]:
        text = fill(rule.say, {"count": len(hits), **row.cells, **extra, **_computed(rule, row, value)})
        out.append(Finding(severity, step, text, _evidence(rule, row), rule.then))
    out = list(dict.fromkeys(out))
    if len(hits) > MAX_PER_RULE:
        out.append(Finding(severity, step, f"and {len(hits) - MAX_PER_RULE} more like it", "", rule.then))
    return out


def _computed(rule: Condition, row: Row, value: object) -> dict[str, object]:
    if rule.percent_of is not None:
        return {"percent": value, "value": row.cells.get(rule.column or "", "")}
    return {"value": value}


def _holding(rule: Condition, rows: tuple[Row, ...]) -> list[tuple[Row, object]]:
    """Give the rows for which a condition holds, each with the value that was compared.

    A row without a comparable value is passed over; ``ValueError`` when that is true of all of them.
    """
    name = rule.path or rule.column or _default_column(rows)
    out: list[tuple[Row, object]] = []
    compared = 0
    for row in rows:
        value = _value(rule, row, name)
        try:
            holds = _bare(value, rule.op) if rule.op in BARE_OPS else _compare_cell(value, rule)
        except ValueError:
            continue
        compared += 1
        if holds:
            out.append((row, value))
    if rows and not compared:
        raise ValueError(f"the output has no {name!r} that compares with {rule.value!r}")
    return out


def _bare(value: object, op: str) -> bool:
    return (value in (None, "")) == (op == "absent")


def _compare_cell(value: object, rule: Condition) -> bool:
    if value is None:
        raise ValueError("nothing to compare")
    return compare(value, rule.op, rule.value)


def _default_column(rows: tuple[Row, ...]) -> str:
    return "line" if not rows or "line" in rows[0].cells else next(iter(rows[0].cells), "line")


def _value(rule: Condition, row: Row, name: str) -> object:
    if rule.path is not None:
        return dig(row.cells, rule.path)
    value = row.cells.get(name)
    if rule.percent_of is None or value is None:
        return value
    part, whole = parse_number(value), parse_number(row.cells.get(rule.percent_of))
    if part is None or whole is None or whole[0] == 0:
        return None
    return f"{100 * part[0] / whole[0]:.1f}%"


def _state(rule: FactRule, rows: tuple[Row, ...], extra: Mapping[str, object]) -> str:
    chosen = select(rule.where, rows)
    if not chosen:
        return fill(rule.none, {**extra, "count": 0})
    texts = list(dict.fromkeys(fill(rule.say, {"count": len(chosen), **row.cells, **extra}) for row in chosen))
    more = len(texts) - rule.limit if rule.rest else 0
    return "; ".join(texts[: rule.limit]) + (f"; and {more} more" if more > 0 else "")


def _evidence(rule: Condition, row: Row) -> str:
    """Give the line that shows it: for a text, the line with the match."""
    if rule.op in ("contains", "matches"):
        for line in bounded(row.raw).split("\n"):
            if compare(line, rule.op, rule.value):
                return clean(line)
    return clean(row.raw)


def compare(left: object, op: str, right: object) -> bool:
    """Compare as data; numbers with units compare as numbers. ``ValueError`` when they do not compare."""
    match op:
        case "in":
            return isinstance(right, tuple) and any(_equal(left, one) for one in right)
        case "==":
            return _equal(left, right)
        case "!=":
            return not _equal(left, right)
        case "contains":
            return str(right).casefold() in str(left).casefold()
        case "matches":
            return re.search(str(right), bounded(str(left))) is not None
        case _:
            return _ordered(left, op, right)


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).lower() == str(right).lower()
    one, two = parse_number(left), parse_number(right)
    if one is not None and two is not None and _same_kind(one[1], two[1]):
        return one[0] == two[0]
    return str(left) == str(right)


def _ordered(left: object, op: str, right: object) -> bool:
    one, two = parse_number(left), parse_number(right)
    if one is None or two is None or not _same_kind(one[1], two[1]):
        raise ValueError(f"{left!r} does not compare with {right!r}")
    answers = {
        "<": one[0] < two[0],
        "<=": one[0] <= two[0],
        ">": one[0] > two[0],
        ">=": one[0] >= two[0],
    }
    return answers[op]


def _same_kind(one: str, two: str) -> bool:
    return one == two or "" in (one, two)


def parse_number(value: object) -> tuple[float, str] | None:
    """Read ``90%``, ``1.5G``, ``10s`` or ``1,024`` as (number, kind); None when it is not a number.

    Kinds are ``%``, ``bytes`` (K, M, G, T, P by 1024), ``s`` (lower-case m is minutes) and ``""``.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value), ""
    text = str(value)
    found = _NUMBER.fullmatch(text) if len(text) <= 40 else None  # noqa: PLR2004 - longer is not a number
    if found is None:
        return None
    return _with_unit(float(found[1].replace(",", "")), found[2])


def _with_unit(number: float, unit: str) -> tuple[float, str] | None:
    if unit in ("", "%"):
        return number, unit
    if unit in _TIMES:
        return number * _TIMES[unit], "s"
    if re.fullmatch(r"B|bytes|[kKMGTP](i?[bB])?|[KMGTP]i", unit):
        return number * 1024.0 ** _SIZES.get(unit[0].lower(), 0), "bytes"
    return None


def fill(template: str, cells: Mapping[str, object]) -> str:
    """Put cells into ``{name}``; unknown names become ``?``.

    ``{name|size}`` writes bytes, ``|kib`` kibibytes and ``|age`` seconds for people; ``|ipv4`` decodes the
    kernel's hex.
    """

    def put(hole: re.Match[str]) -> str:
        name, form = hole[1], hole[2]
        value = cells.get(name)
        if value is None and re.search(r"[.\[]", name):
            value = dig(cells, name)
        if value is None:
            return "?"
        return _FORMS[form](value) if form else clean(str(value))

    return _HOLE.sub(put, template)


def size_text(value: object) -> str:
    """Write bytes for people: ``1.2 GiB``."""
    number = parse_number(value)
    if number is None:
        return clean(str(value))
    amount = number[0]
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1024:  # noqa: PLR2004 - the step between units
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def age_text(value: object) -> str:
    """Write seconds for people: ``43 min``, ``5.1 days``."""
    number = parse_number(value)
    if number is None:
        return clean(str(value))
    seconds = number[0]
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def clean(text: str) -> str:
    """Make foreign text safe to show: one line, no control, direction or invisible characters, 300 long."""
    text = " ".join(text[:MAX_LINE].split())
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 3] + "..."


_FORMS: Mapping[str, Callable[[object], str]] = {
    "size": size_text,
    "kib": lambda value: size_text(f"{value}K"),
    "age": age_text,
    "ipv4": kernel_address,
}
