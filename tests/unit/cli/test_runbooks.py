from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Say


def test_all_that_ship_are_listed_shown_valid_and_rehearsed(akili: Say) -> None:
    names = [row["name"] for row in akili("runbooks", "list", "--json").json]
    assert "service-health-check" in names
    assert "service-health-check" in akili("runbooks", "list").out
    shown = akili("runbooks", "show", "service-health-check", "--json").json
    assert shown["name"] == "service-health-check"
    assert akili("runbooks", "show", "service-health-check").out.startswith("---")
    assert akili("runbooks", "validate").code == 0
    assert akili("runbooks", "test", "service-health-check").code == 0
    assert akili("runbooks", "test", "service-health-check", "--json").json[0]["ok"] is True


def test_a_runbook_is_played_without_a_model(akili: Say) -> None:
    said = akili("runbooks", "run", "service-health-check", "--json")
    assert said.code == 0
    assert said.json["provider"] == "builtin"
    assert said.json["report"]


def test_what_is_not_there_is_refused(akili: Say) -> None:
    assert akili("runbooks", "show", "nosuch").code == 1
    assert akili("runbooks", "run", "nosuch").code == 1
    assert akili("runbooks", "test", "nosuch").code == 1
    assert akili("runbooks", "show", "../../etc/passwd").code == 1
    assert akili("runbooks", "validate", "nosuch.md").code == 64
    assert akili("runbooks", "run", "service-health-check", "-i", "novalue").code == 64
    assert akili("runbooks", "run", "service-health-check", "-i", "nosuch=1").code in (1, 64)
    assert akili("runbooks", "run", "service-health-check", "--timeout", "0").code == 64


def test_a_broken_file_is_named_with_its_line(akili: Say, tmp_path: Path) -> None:
    broken = tmp_path / "broken.md"
    broken.write_text("---\nname: x\nnosuch: 1\n---\n# x\n")
    said = akili("runbooks", "validate", str(broken))
    assert said.code == 1
    assert "broken.md" in said.out
