"""From a record to what will be written of it: redacted, shortened, as text; only its number is missing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.chain import encode_details
from akili_cli.core.audit.model import LONG_CHARS, AuditRecord, condensed, record_from

_OFF_LOOP_CHARS = 65536
_MAX_DETAILS_CHARS = 262144
_MAX_COLUMN_CHARS = 500
_KEPT = ("digest", "verdict", "risk", "rule", "output_sha256", "agent", "role", "skill", "mode")


class Draft:
    """A record that is redacted and written, and waits for its number."""

    __slots__ = ("columns", "details", "record")

    def __init__(self, record: AuditRecord, columns: dict[str, str], details: str) -> None:
        """Keep what is to be written; ``draft_of`` and ``Drafter`` make one."""
        self.record = record
        self.columns = columns
        self.details = details


def draft_of(record: AuditRecord) -> Draft:
    """Write a record of our own making, in which there is nothing to hide."""
    return Draft(record, record.columns(), encode_details(record.details()))


class Drafter:
    """Writes records of one organisation without the secrets that a redactor finds."""

    def __init__(self, redactor: Redactor, org: str) -> None:
        """Keep the parts."""
        self._redactor = redactor
        self._org = org

    async def draft(self, record: AuditRecord) -> Draft:
        """Redact, shorten and write a record; large ones are written off the loop.

        ``altered`` then names the columns and fields that are no longer as they were.
        """
        record = record if record.org != "default" else replace(record, org=self._org)
        columns, details = record.columns(), record.details()
        text = _encoded(details)
        if text is not None and self._is_plain(record, columns, text):
            return Draft(record, columns, text)
        clean = {name: self._column(value) for name, value in columns.items()}
        altered = {*record.altered, *(name for name, value in columns.items() if clean[name] != value)}
        if text is None or len(text) > _OFF_LOOP_CHARS:
            text = await asyncio.to_thread(self._clean_details, details, altered)
        else:
            text = self._clean_details(details, altered)
        return Draft(record_from(clean, json.loads(text)), clean, text)

    def _is_plain(self, record: AuditRecord, columns: dict[str, str], details: str) -> bool:
        """Tell whether the record can be written as it is: nothing to hide, to shorten or to escape."""
        joined = " ".join(columns.values())
        return (
            len(details) <= LONG_CHARS
            and len(joined) <= _MAX_COLUMN_CHARS
            and joined.isascii()
            and joined.isprintable()
            and "content" not in record.parameters
            and "code" not in record.parameters
            and not self._redactor.suspicious(f"{joined}\n{details}")
        )

    def _clean_details(self, details: dict[str, object], altered: set[str]) -> str:
        clean = self._redactor.value(details)
        short = condensed(clean) if isinstance(clean, dict) else {}
        text = encode_details(short)
        if len(text) > _MAX_DETAILS_CHARS:
            kept = {name: value for name, value in short.items() if name in _KEPT or isinstance(value, int | float)}
            short = {**kept, "error": f"[cut: a record of {len(text)} characters]"}
        altered = altered | {name for name, value in details.items() if not _same(short.get(name), value)}
        return encode_details({**short, "altered": sorted(altered)}) if altered else encode_details(short)

    def _column(self, text: str) -> str:
        """Redact, then drop what a text column cannot hold or a reader should not see raw."""
        clean = self._redactor.text(text).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
        return clean if len(clean) <= _MAX_COLUMN_CHARS else clean[: _MAX_COLUMN_CHARS - 1] + "\u2026"


def _encoded(details: dict[str, object]) -> str | None:
    """Write details that are plain JSON data already; None when they must be made so first."""
    try:
        return encode_details(details)
    except (TypeError, ValueError, RecursionError):
        return None


def _same(one: object, other: object) -> bool:
    """Tell whether two values are written alike."""
    text = _encoded({"": one})
    return text is not None and text == _encoded({"": other})
