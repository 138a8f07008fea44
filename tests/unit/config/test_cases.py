from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.config.cases import Case, load_cases, parse_cases
from akili_cli.domain.errors import ConfigError

GOOD = """\
- name: one
  tool: shell_exec
  with: {command: id}
  user: ann
  untrusted: [stdin]
  at: "2026-02-17T23:30+01:00"
  verdict: deny
  rule: night
  risk: critical
"""


def test_a_case_is_read_with_its_line() -> None:
    (placed,) = parse_cases("\n\n" + GOOD, "c.yaml", judged=True)
    case = placed.call
    assert isinstance(case, Case)
    assert (case.tool, case.arguments, case.verdict, case.risk) == ("shell_exec", {"command": "id"}, "deny", "critical")
    assert str(placed.origin) == "c.yaml:3"


def test_a_call_needs_no_verdict_but_may_have_one() -> None:
    calls = parse_cases("- {tool: file_read}\n- {tool: file_read, verdict: ask}\n", "c.yaml", judged=False)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{}", "c.yaml:1: must be a list"),
        ("", "must be a list"),
        ("[]", "must be a list"),
        ("- {tool: x}", "c.yaml:1: verdict: is missing"),
        ("- {verdict: deny}", "tool: is missing"),
        ("- {tool: x, verdict: deny, usr: ann}", "c.yaml:1: usr: there is no such key; did you mean `user`?"),
        ("- {tool: x, verdict: deny}\n- {tool: x, verdict: maybe}", "c.yaml:2: verdict: input should be"),
        ("- {tool: x, verdict: deny, at: yesterday}", "at: must be a moment"),
        ('- {tool: x, verdict: deny, at: "2026-02-17T23:30"}', "with its time zone"),
        ("- {tool: x, verdict: deny, source: chat}", "source: input should be"),
        ("- {tool: x, verdict: deny, with: [1]}", "with: input should be"),
        ("- 7", "c.yaml:1"),
        ("- {tool: x, tool: y, verdict: deny}", "duplicate key"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_cases(text, "c.yaml", judged=True)
    assert what in str(caught.value)


def test_every_problem_is_named_up_to_a_limit() -> None:
    with pytest.raises(ConfigError, match="and 5 more"):
        parse_cases("- {verdict: deny}\n" * 25, "c.yaml", judged=True)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        load_cases(tmp_path, judged=True)
    (tmp_path / "bad").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_cases(tmp_path / "bad", judged=True)
    (tmp_path / "long").write_bytes(b" " * 1_048_577)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_cases(tmp_path / "long", judged=True)
    (tmp_path / "good").write_text(GOOD, encoding="utf-8")
    assert len(load_cases(tmp_path / "good", judged=True)) == 1
