from __future__ import annotations

import hashlib

import pytest

from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result, condensed, record_from


def full() -> AuditRecord:
    return AuditRecord(
        kind=Kind.CALL_OUTCOME,
        result=Result.SUCCESS,
        user="anna",
        tool="shell_exec",
        parameters={"command": "df"},
        rules=("a@x:1", "b@y:2"),
        layers=("landlock",),
        duration_s=0.5,
        cost_usd=0.0,
        output_bytes=0,
    )


def test_a_record_survives_being_written() -> None:
    record = full()
    details = {name: list(v) if isinstance(v, tuple) else v for name, v in record.details().items()}
    assert record_from(record.columns(), details) == record


def test_empty_is_left_out_but_zero_is_not() -> None:
    assert full().details().keys() == {"parameters", "rules", "layers", "duration_s", "cost_usd", "output_bytes"}


@pytest.mark.parametrize("details", [{"rules": "x"}, {"layers": 3}])
def test_what_is_no_record_is_refused(details: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is no list"):
        record_from(full().columns(), details)


def test_an_entry_has_a_flat_form() -> None:
    said = AuditEntry("s-1", "s", 1, 2.0, "0", "f", full()).as_dict()
    assert (said["id"], said["user"], said["result"], said["cost_usd"]) == ("s-1", "anna", "success", 0.0)


def test_contents_and_code_become_length_and_hash() -> None:
    content, code = "hello\n", "import os\n" * 10
    short = condensed({"parameters": {"content": content, "code": code, "path": "/x"}})
    digest = hashlib.sha256(content.encode()).hexdigest()
    parameters = short["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["content"] == f"[cut: 6 characters, sha256 {digest}]"
    assert parameters["code"].startswith("import os\nimport os\nimport os[cut: 100 characters")
    assert parameters["path"] == "/x"


def test_long_texts_keep_a_head() -> None:
    short = condensed({"error": "e" * 5000, "parameters": {"list": ["x" * 3000]}})
    assert str(short["error"]).startswith("e" * 400 + "[cut: 5000 characters, sha256 ")
    assert len(str(short["parameters"])) < 600
