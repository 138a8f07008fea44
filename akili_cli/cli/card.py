"""The approval card: the same fields on every surface, nothing cut, nothing hidden, no line that can be faked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from akili_cli.cli.render import safe
from akili_cli.domain.calls import canonical_json

if TYPE_CHECKING:
    from akili_cli.core.approvals.model import Approval
    from akili_cli.core.sandbox.base import Layer

_LONG = ("command", "content", "code", "query")
_BARE = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}
_MAX_DIFF_LINES = 2000
_MAX_NAMED = 5
_MAX_PILED = 2
_MANY_LINES, _MANY_CHARS = 20, 2000
_SPACES = re.compile(r"[^\S\n]{20,}(?=[^\n]*\S)")
_EMPTY_LINES = re.compile(r"(?:\n[^\S\n]*){5,}(?=\S)")


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card can say beyond the approval itself.

    ``layers`` are the sandbox's, for calls that run commands; ``present`` is the text of the file that a write
    would replace; ``cost`` is what was spent so far, in words.
    """

    layers: tuple[Layer, ...] = ()
    present: str | None = None
    cost: str = ""


NO_FACTS = CardFacts()


def card_lines(approval: Approval, facts: CardFacts = NO_FACTS) -> list[str]:
    """Give the card as lines of printable text; whatever cannot be seen or could break a line is an escape."""
    expires = moment(approval.expires_at)
    agent = f" (agent {approval.agent})" if approval.agent else ""
    lines = [
        f"approval   {approval.id}  ({approval.status}, expires {expires})",
        f"tool       {approval.tool}   risk {approval.risk}",
        f"who        {approval.user} via {approval.source}{agent}",
        f"where      {straight(approval.host)}:{straight(approval.cwd)}",
        *argument_lines(approval.arguments, facts.present),
        *_look_twice(approval.arguments),
        f"effects    {effects_line(approval.effects)}",
        f"undo       {'can be undone' if approval.effects.get('reversible', True) else 'CANNOT be undone'}",
        *_sandbox(approval, facts.layers),
        f"rule       {approval.rule_id} ({approval.rule_origin}): {approval.because}",
    ]
    if approval.untrusted:
        lines.append(f"untrusted  in context: {straight(', '.join(approval.untrusted))}")
    if facts.cost:
        lines.append(f"cost       {facts.cost}")
    if approval.reason.strip():
        lines.append("the model says (not verified):")
        lines.extend(f"    {line}" for line in approval.reason.strip().split("\n"))
    if approval.resolved_by:
        said = f": {approval.feedback}" if approval.feedback else ""
        lines.append(f"resolved   {approval.status} by {approval.resolved_by}{said}")
    return [visible(line) for line in lines]


def visible(text: str) -> str:
    """Show everything but plain visible characters and the plain space as escapes, line ends and tabs too.

    So are marks that pile up on one letter, and would be drawn over the lines around it.
    """
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    piled = 0
    for char in text:
        piled = piled + 1 if unicodedata.combining(char) else 0
        out.append(_escape(char) if _is_unseen(char) or piled > _MAX_PILED else char)
    return safe("".join(out))


def straight(text: str) -> str:
    """Show letters that run from right to left as escapes: a terminal would set what stands beside them elsewhere."""
    if text.isascii():
        return text
    return "".join(_escape(char) if unicodedata.bidirectional(char) in ("R", "AL", "AN") else char for char in text)


def moment(at: float) -> str:
    """Give an epoch time as a person reads it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rows(lines: Iterable[str], columns: int) -> int:
    """Count the rows that lines take on a terminal of this width, wrapped by the terminal."""
    return sum(max(1, -(-_width(line) // max(1, columns))) for line in lines)


def _width(line: str) -> int:
    return len(line) if line.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def _is_unseen(char: str) -> bool:
    if char in _BARE:
        return True
    if char == " " or char.isascii():
        return False
    selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return selector or char in "\u17b4\u17b5\u180b\u180c\u180d\u180f" or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    return _BARE.get(char) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


def argument_lines(arguments: Mapping[str, object], present: str | None = None) -> list[str]:
    """Give a call's arguments whole; a write as the change of ``present``, the text that it would replace."""
    lines: list[str] = []
    for name, value in arguments.items():
        change = None
        if present is not None and name == "content" and isinstance(value, str):
            change = _change(present, value)
        lines += _argument(name, value) if change is None else change
    return lines


def _argument(name: str, value: object) -> list[str]:
    text = value if isinstance(value, str) else canonical_json(value)
    text = text if name == "content" else straight(text)
    if name in _LONG or "\n" in text:
        return [f"{name}:", *(f"    | {line}" for line in text.split("\n"))]
    return [f"{name.ljust(10)} {text}"]


def _change(present: str, content: str) -> list[str] | None:
    """Word a write as the difference from what the file holds now; None when both are too long for that."""
    if present == content:
        return ["content    exactly what the file holds now"]
    import difflib

    old, new = _text_lines(present), _text_lines(content)
    if len(old) + len(new) > _MAX_DIFF_LINES:
        return None
    changed = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    return ["content, as a change of the file that is there:", *(f"    {line}" for line in changed)]


def _text_lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]} [no line end here]"]


def _look_twice(arguments: Mapping[str, object]) -> list[str]:
    """Name what is not what it seems: hidden characters, foreign letters for programs, room that hides a rest."""
    hidden: dict[str, None] = {}
    foreign: dict[str, None] = {}
    lines = []
    for name, text in ((name, text) for name, value in arguments.items() for text in _texts(value)):
        if name != "content":
            lines += [f"look twice {name} has {what}" for what in _room(text)]
        if text.isascii() and text.isprintable():
            continue
        hidden |= {char: None for char in text if char not in "\n\t" and visible(char) != char}
        if name != "content":
            foreign |= {char: None for char in text if not char.isascii() and visible(char) == char}
    if hidden:
        lines.append(f"look twice hidden characters, shown as escapes: {_named(hidden)}")
    if foreign:
        lines.append(f"look twice characters outside ASCII: {_named(foreign)}")
    return lines


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _room(text: str) -> Iterator[str]:
    """Say where a text leaves room, or is long, so that its end is easily missed."""
    spaces = max((len(run) for run in _SPACES.findall(text)), default=0)
    empty = max((run.count("\n") - 1 for run in _EMPTY_LINES.findall(text)), default=0)
    lines = text.count("\n") + 1
    if spaces:
        yield f"{spaces} blanks in a row: read on after them"
    if empty:
        yield f"{empty} empty lines in a row: read on after them"
    if lines > _MANY_LINES or len(text) > _MANY_CHARS:
        yield f"{lines} lines and {len(text)} characters: read it to its end"


def _named(chars: Iterable[str]) -> str:
    found = list(chars)
    names = [f"U+{ord(char):04X} {unicodedata.name(char, 'control character')}" for char in found[:_MAX_NAMED]]
    more = len(found) - len(names)
    return ", ".join(names) + (f" and {more} more kinds" if more else "")


def effects_line(effects: Mapping[str, object]) -> str:
    """Give everything a call would do, in one line."""
    shown = [
        f"{kind} {', '.join(' '.join(v) if isinstance(v, list) else str(v) for v in values)}"
        for kind, values in effects.items()
        if isinstance(values, list) and values
    ]
    opaque = effects.get("opaque")
    if opaque:
        shown.append(f"CANNOT be known: {opaque}")
    return straight("; ".join(shown)) or "none known"


def _sandbox(approval: Approval, layers: tuple[Layer, ...]) -> list[str]:
    if not layers or not (approval.effects.get("commands") or approval.effects.get("opaque")):
        return []
    active = ", ".join(layer.name for layer in layers if layer.active) or "NO layer is active"
    missing = ", ".join(layer.name for layer in layers if not layer.active)
    return [f"sandbox    {active}" + (f"; MISSING: {missing}" if missing else "")]
