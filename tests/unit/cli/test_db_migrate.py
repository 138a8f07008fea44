from __future__ import annotations

import os
from pathlib import Path

from tests.unit.cli.conftest import Say


def test_a_copy_is_told_with_counts_digests_and_the_lines_to_switch(akili: Say, tmp_path: Path) -> None:
    akili("runbooks", "run", "service-health-check")
    said = akili("db", "migrate", "--to", "sqlite:///copy.db")
    assert said.code == 0
    assert "audit_events" in said.out
    assert "every row was read back" in said.out
    assert "the audit verifies there" in said.out
    assert "driver: sqlite" in said.out
    config = tmp_path / "config.yaml"
    config.write_text("\n".join(line[2:] for line in said.out.splitlines() if line.startswith("  ")) + "\n")
    before = akili("audit", "verify", "--json").json["records"]
    assert akili("--config", str(config), "audit", "verify", "--json").json["records"] == before
    assert akili("--config", str(config), "db", "search", "disk", "--json").json


def test_json_holds_every_table_and_the_verification(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    dry = akili("db", "migrate", "--to", "sqlite:///copy.db", "--dry-run", "--json").json
    assert (dry["dry_run"], dry["copied"], dry["audit"], dry["switch"]) == (True, 0, None, [])
    assert not Path("copy.db").exists()
    done = akili("db", "migrate", "--to", "sqlite:///copy.db", "--json").json
    assert done["copied"] == done["rows"] == dry["rows"] > 3
    assert done["audit"]["ok"]
    assert {len(table["digest"]) for table in done["tables"]} == {64}
    again = akili("db", "migrate", "--to", "sqlite:///copy.db", "--json").json
    assert (again["copied"], again["present"]) == (0, done["rows"])


def test_a_dry_run_says_what_would_happen(akili: Say) -> None:
    said = akili("db", "migrate", "--to", "sqlite:///copy.db", "--dry-run")
    assert "nothing was changed" in said.out
    assert "schema steps would be applied" in said.out


def test_an_audit_that_does_not_verify_is_exit_code_one(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    workspace = Path(os.environ["HOME"]) / ".akili"
    (file,) = (workspace / "audit").glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-40])
    said = akili("db", "migrate", "--to", "sqlite:///copy.db")
    assert said.code == 1
    assert "does NOT verify" in said.err


def test_a_dry_run_goes_with_a_target(akili: Say) -> None:
    assert akili("db", "migrate", "--dry-run").code == 64
    assert akili("db", "migrate", "--json").json["steps"] > 10
