from __future__ import annotations

import json
from typing import Any

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.draft import Draft, Drafter, draft_of
from akili_cli.core.audit.model import AuditRecord, Kind, Result

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def record(**fields: Any) -> AuditRecord:
    return AuditRecord(**{"kind": Kind.CALL_OUTCOME, "result": Result.SUCCESS, "tool": "look", **fields})


async def drafted(*, register: str = "", **fields: Any) -> Draft:
    redactor = Redactor()
    if register:
        redactor.register(register, "registered")
    return await Drafter(redactor, "acme").draft(record(**fields))


async def test_a_plain_record_is_written_as_it_is() -> None:
    draft = await drafted(parameters={"path": "/x"}, rules=("a@b",), duration_s=0.5)
    assert draft.details == '{"duration_s":0.5,"parameters":{"path":"/x"},"rules":["a@b"]}'
    assert (draft.columns["org_id"], draft.record.org, draft.record.altered) == ("acme", "acme", ())
    assert draft_of(draft.record).details == draft.details


@pytest.mark.parametrize(
    ("fields", "altered"),
    [
        ({"parameters": {"path": SECRET}, "error": "no"}, ("parameters",)),
        ({"parameters": {"path": "/x"}, "effects": {"reads": ["/srv/hidden-word"]}}, ("effects",)),
        ({"parameters": {"content": "text"}}, ("parameters",)),
        ({"parameters": {"path": "x" * 3000}}, ("parameters",)),
        ({"parameters": {"path": object()}}, ("parameters",)),
        ({"parameters": {"n": float("nan")}, "rule": "a"}, ("parameters",)),
        ({"user": "hidden-word"}, ("user_id",)),
        ({"run_id": "r" * 600, "agent": "hidden-word"}, ("agent", "run_id")),
        ({"error": "ü" * 3000, "altered": ("effects",)}, ("effects", "error")),
        ({"parameters": {str(n): "y" * 1500 for n in range(300)}, "verdict": "deny"}, ("parameters",)),
    ],
    ids=["shape", "effects", "content", "long", "object", "nan", "user", "run and agent", "before", "cut"],
)
async def test_what_is_no_longer_as_it_was_is_named(fields: dict[str, Any], altered: tuple[str, ...]) -> None:
    draft = await drafted(register="hidden-word", **fields)
    written = draft.details + json.dumps(draft.columns)
    assert SECRET not in written
    assert "hidden-word" not in written
    assert draft.record.altered == altered
    assert json.loads(draft.details)["altered"] == list(draft.record.altered)


@pytest.mark.parametrize(
    "fields",
    [{"user": "ä"}, {"parameters": {"password": ""}}, {"parameters": {"list": ["x"] * 800}}],
    ids=["not ASCII", "a suspicious word", "many"],
)
async def test_what_was_looked_at_and_left_as_it_is_is_not_named(fields: dict[str, Any]) -> None:
    draft = await drafted(**fields)
    assert draft.record.altered == ()
    assert "altered" not in json.loads(draft.details)


async def test_a_column_holds_no_null_and_no_half_character() -> None:
    draft = await drafted(user="a\x00b\udcff", tool="t" * 501)
    assert draft.columns["user_id"] == "a\ufffdb?"
    assert (len(draft.columns["tool"]), draft.record.altered) == (500, ("tool", "user_id"))
