"""Turns a command's output into rows; never executes anything of it."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.features.runbooks.model import Capture
from akili_cli.features.runbooks.patterns import bounded

MAX_ROWS = 1_000
MAX_JSON_DEPTH = 50

_TCP_STATES = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "07": "CLOSE",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
}
_SOCKET = re.compile(
    r"^\s*\d+:\s+([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})\s+[0-9A-F]+:[0-9A-F]{4}\s+([0-9A-F]{2})\s",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line, record or match: its cells by name, and the text it came from."""

    cells: Mapping[str, object]
    raw: str


def capture_rows(spec: Capture, text: str) -> tuple[Row, ...]:
    """Read an output as the capture says, 1,000 rows at most.

    Raises ``ValueError`` when the output does not have the promised shape.
    """
    match spec.kind:
        case "text":
            rows = [Row({"text": text, "line": text}, text)] if text.strip() else []
        case "lines":
            rows = [Row({"line": line.strip()}, line) for line in _lines(text)]
        case "table":
            rows = _table(spec, text)
        case "json":
            rows = _json(spec, text)
        case "regex":
            found = re.finditer(spec.pattern, bounded(text), re.MULTILINE)
            rows = [
                Row(_groups(match), match.group().strip()) for match, _ in zip(found, range(MAX_ROWS), strict=False)
            ]
        case "sockets":
            rows = _sockets(text)
    return tuple(rows[:MAX_ROWS])


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def _groups(match: re.Match[str]) -> dict[str, object]:
    return {name: value for name, value in match.groupdict().items() if value is not None}


def _table(spec: Capture, text: str) -> list[Row]:
    lines = _lines(text)
    if not lines:
        return []
    data = lines[1:] if spec.header else lines
    names = list(spec.columns) or _header(lines[0], data)
    rows = []
    for line in data:
        cells = line.split(None, len(names) - 1)
        rows.append(Row(dict(zip(names, (cell.strip() for cell in cells), strict=False)), line))
    return rows


def _header(line: str, data: list[str]) -> list[str]:
    """Name the columns; surplus words belong to the last name (``Mounted on``)."""
    words = line.split()
    widths = Counter(len(row.split()) for row in data)
    width = widths.most_common(1)[0][0] if widths else len(words)
    if not 0 < width < len(words):
        return words
    return [*words[: width - 1], " ".join(words[width - 1 :])]


def _json(spec: Capture, text: str) -> list[Row]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the output is not JSON") from None
    value = dig(value, spec.path) if spec.path else value
    items = value if isinstance(value, list) else [value]
    rows = []
    for item in items:
        if item is None:
            continue
        cells = item if isinstance(item, dict) else {"value": item}
        rows.append(Row(cells, json.dumps(item, ensure_ascii=False)[:500]))
    return rows


def dig(value: object, path: str) -> object:
    """Follow ``a.b[0].c`` into plain data; None where nothing stands."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if index:
            place = int(index[:6])
            value = value[place] if isinstance(value, list) and place < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _sockets(text: str) -> list[Row]:
    rows = []
    for match in _SOCKET.finditer(text):
        address, port, state = match.groups()
        proto = "tcp" if len(address) == 8 else "tcp6"  # noqa: PLR2004 - hex digits of an IPv4 address
        host = _address(address)
        cells = {
            "proto": proto,
            "address": host,
            "port": int(port, 16),
            "state": _TCP_STATES.get(state, state),
            "endpoint": f"[{host}]:{int(port, 16)}" if ":" in host else f"{host}:{int(port, 16)}",
        }
        rows.append(Row(cells, match.group().strip()))
    return rows


def kernel_address(hexed: object) -> str:
    """Decode an IP address as /proc/net writes it: words of four bytes, each in little-endian order.

    Gives ``?`` for anything else.
    """
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", str(hexed)):
        return "?"
    return _address(str(hexed))


def _address(hexed: str) -> str:
    words = [bytes.fromhex(hexed[i : i + 8])[::-1] for i in range(0, len(hexed), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"
