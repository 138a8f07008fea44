from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest

from akili_cli.cli import options
from akili_cli.cli.boundary import run_command_line
from akili_cli.cli.opening import opened_app, principal
from akili_cli.domain.calls import Run, ToolCall
from tests.unit.cli.conftest import Say


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which akili has read one file and was refused another."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "f").write_text("x")
    monkeypatch.chdir(work)
    options.keep(config=None, color="never")

    async def use() -> None:
        async with opened_app() as app:
            run = Run(id="r", principal=principal(), correlation_id="c")
            for path in ("f", "/etc/shadow"):
                await app.pipeline.run(ToolCall(f"call-{path}", "file_read", {"path": path}), run)

    asyncio.run(use())
    return work


def audit(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command_line(["audit", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def results(out: str) -> list[str]:
    return [json.loads(line)["result"] for line in out.splitlines()]


def test_tail_is_oldest_first_and_search_newest_first(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results(audit(capsys, "tail", "--json")[1]) == ["started", "intent", "success", "policy_denied"]
    assert results(audit(capsys, "search", "--json")[1]) == ["policy_denied", "success", "intent", "started"]
    assert results(audit(capsys, "search", "SHADOW", "--json")[1]) == ["policy_denied"]
    assert results(audit(capsys, "search", "--run", "r", "--result", "success", "--json")[1]) == ["success"]
    assert results(audit(capsys, "search", "--since", "1h", "--limit", "1", "--json")[1]) == ["policy_denied"]
    assert audit(capsys, "search", "--until", "1h")[:2] == (0, "")
    rule = json.loads(audit(capsys, "search", "shadow", "--json")[1])["rule"].split("@")[0]
    assert results(audit(capsys, "search", "--rule", rule, "--json")[1]) == ["policy_denied"]
    assert "file_read" in audit(capsys, "search", "--tool", "file_read")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "--since", "yesterday"),
        ("search", "--until", "1" * 30 + "h"),
        ("search", "x" * 1001),
        ("search", "--limit", "0"),
        ("verify", "--anchor", "/nowhere"),
        ("anchor", "-o", "/nowhere/x"),
        ("export", "-o", "/nowhere/x"),
        ("export",),
    ],
    ids=lambda given: " ".join(given)[:30],
)
def test_words_that_mean_nothing_are_usage_errors(
    arguments: tuple[str, ...], work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(capsys, *arguments)[0] == 64


def test_an_anchor_kept_elsewhere_finds_what_the_chain_cannot(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line, _ = audit(capsys, "anchor")
    assert (code, line.count("\n")) == (0, 1)
    kept = tmp_path / "kept"
    kept.write_text(line)
    assert audit(capsys, "anchor", "-o", str(kept))[0] == 0
    assert len(kept.read_text().splitlines()) == 2
    assert audit(capsys, "verify", "--anchor", str(kept))[0] == 0
    workspace = tmp_path / "home" / ".akili"
    connection = sqlite3.connect(workspace / "akili.db")
    with connection:
        connection.execute("DELETE FROM audit_events")
        connection.execute("DELETE FROM audit_streams")
    connection.close()
    for path in (workspace / "audit").iterdir():
        path.unlink()
    assert audit(capsys, "verify")[0] == 0
    code, out, _ = audit(capsys, "verify", "--anchor", str(kept), "--json")
    assert (code, "gone" in json.loads(out)["problems"][0]["what"]) == (1, True)
    kept.write_text(line.replace("mac", "Mac"))
    assert audit(capsys, "verify", "--anchor", str(kept))[0] == 1


def test_an_export_prints_what_to_keep_apart(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = audit(capsys, "export", "-o", str(tmp_path / "bundle"), "--json")
    said = json.loads(out)
    assert (code, said["records"], said["verified"]) == (0, 4, True)
    assert Path(said["key"]).stat().st_mode & 0o077 == 0
    code, out, _ = audit(capsys, "export", "-o", str(tmp_path / "bundle.tar.gz"))
    assert (code, "SHA-256" in out, (tmp_path / "bundle.tar.gz").exists()) == (0, True, True)
    assert audit(capsys, "export", "-o", str(tmp_path / "bundle"))[0] == 1
    assert audit(capsys, "export", "-o", str(tmp_path / "other"), "--until", "1h")[0] == 1
    connection = sqlite3.connect(tmp_path / "home" / ".akili" / "akili.db")
    with connection:
        connection.execute("UPDATE audit_events SET user_id = 'eve' WHERE seq = 3")
    connection.close()
    code, _, err = audit(capsys, "export", "-o", str(tmp_path / "third"))
    assert (code, "BROKEN" in err) == (1, True)


def test_an_empty_record_is_whole(akili: Say) -> None:
    assert akili("audit", "tail").err == "no records\n"
    assert akili("audit", "verify").code == 0


def test_records_are_shown_filtered_and_as_json(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    lines = akili("audit", "tail", "-n", "500", "--json").out.splitlines()
    assert {json.loads(line)["result"] for line in lines} >= {"started", "intent", "success"}
    table = akili("audit", "tail", "--tool", "shell_exec", "--result", "intent").out
    assert "intent" in table
    assert "success" not in table
    assert akili("audit", "tail", "--user", "nobody").err == "no records\n"
    verified = akili("audit", "verify", "--json")
    assert (verified.code, verified.json["ok"], verified.json["problems"]) == (0, True, [])


def test_a_changed_row_breaks_the_record(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    connection = sqlite3.connect(f"{os.environ['HOME']}/.akili/akili.db")
    connection.execute("UPDATE audit_events SET user_id = 'mallory' WHERE kind = 'call.intent'")
    connection.commit()
    connection.close()
    said = akili("audit", "verify")
    assert said.code == 1
    assert "BROKEN" in said.out
