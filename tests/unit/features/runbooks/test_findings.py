from __future__ import annotations

import pytest

from akili_cli.features.runbooks.capture import Row, capture_rows
from akili_cli.features.runbooks.findings import (
    MAX_PER_RULE,
    Judgement,
    age_text,
    clean,
    compare,
    fill,
    judge,
    parse_number,
    size_text,
)
from akili_cli.features.runbooks.model import Step


def judged(text: str, **values: object) -> Judgement:
    step = Step.model_validate({"id": "a", "tool": "t", **values})
    return judge(step, capture_rows(step.capture, text))


def texts(judgement: Judgement) -> list[str]:
    return [f"{one.severity}: {one.text}" for one in judgement.findings]


FULL = [
    {"column": "use", "op": ">=", "value": "90%", "severity": "critical", "say": "{name} {use}"},
    {"column": "use", "op": ">=", "value": "80%", "severity": "warning", "say": "{name} {use}"},
]
TABLE = {"capture": {"kind": "table", "columns": ["name", "use"], "header": False}}


def test_the_worst_rule_speaks_for_a_row_and_the_line_is_the_evidence() -> None:
    found = judged("a 95%\nb 85%\nc 10%", findings=FULL, **TABLE)
    assert texts(found) == ["critical: a 95%", "warning: b 85%"]
    assert found.findings[0].evidence == "a 95%"


@pytest.mark.parametrize(
    ("left", "op", "right", "holds"),
    [
        ("95%", ">=", "90%", True),
        ("95", ">=", "90%", True),
        ("1.5G", ">", "1024M", True),
        ("23Gi", ">=", "23GiB", True),
        ("10s", "<", "1min", True),
        ("1,024", "==", 1024, True),
        (0.42, "<", 1, True),
        ("running", "==", "running", True),
        ("a", "!=", "b", True),
        ("True", "==", True, True),
        ("x", "in", ("x", "y"), True),
        (5432, "in", (80, 5432), True),
        ("Disk Error", "contains", "error", True),
        ("abc", "matches", "^b", False),
        ("100%", "<=", "99%", False),
    ],
)
def test_comparisons_are_data_and_know_units(left: object, op: str, right: object, holds: bool) -> None:
    assert compare(left, op, right) is holds


@pytest.mark.parametrize(("left", "right"), [("1.5G", "90%"), ("-", 5), ("10s", "1G"), ("abc", "abd"), ("nan", 1)])
def test_what_does_not_compare_is_said(left: object, right: object) -> None:
    with pytest.raises(ValueError, match="does not compare"):
        compare(left, ">", right)


@pytest.mark.parametrize("value", [None, True, "inf", "nan", "1e999", "0x10", "9" * 50, "1 2", "٣", "", "12 parsecs"])
def test_what_is_no_number_is_none(value: object) -> None:
    assert parse_number(value) is None


def test_a_column_that_is_missing_everywhere_is_a_problem_and_not_health() -> None:
    found = judged("a 95%", findings=[{**FULL[0], "column": "Capacity"}], **TABLE)
    assert found.findings == ()
    assert "no 'Capacity'" in found.problems[0]


def test_a_row_without_a_number_is_passed_over_when_others_have_one() -> None:
    assert texts(judged("a -\nb 91%", findings=FULL, **TABLE)) == ["critical: b 91%"]


def test_a_share_of_another_column_is_computed() -> None:
    rule = {"column": "load", "percent_of": "cpus", "op": ">=", "value": "100%", "severity": "warning"}
    capture = {"kind": "regex", "pattern": r"(?P<load>[\d.]+) of (?P<cpus>\d+)"}
    assert texts(judged("3.5 of 2", capture=capture, findings=[{**rule, "say": "{value} is {percent}"}])) == [
        "warning: 3.5 is 175.0%"
    ]
    assert judged("3.5 of 0", capture=capture, findings=[{**rule, "say": "x"}]).problems


def test_rows_are_counted_after_where() -> None:
    rules = [
        {
            "count": True,
            "op": ">=",
            "value": 2,
            "severity": "warning",
            "say": "{count} dead",
            "where": [{"column": "line", "op": "matches", "value": "^Z"}],
        },
        {"op": "absent", "severity": "info", "say": "no S", "where": [{"column": "line", "op": "==", "value": "S"}]},
    ]
    assert texts(judged("Z1\nZ2\nR", capture={"kind": "lines"}, findings=rules)) == ["warning: 2 dead", "info: no S"]


def test_a_cell_named_count_wins_over_the_number_of_rows() -> None:
    rule = {"column": "count", "op": ">=", "value": 10, "severity": "info", "say": "{count} times"}
    capture = {"kind": "table", "header": False, "columns": ["count", "what"]}
    assert texts(judged("412 x\n3 y", capture=capture, findings=[rule])) == ["info: 412 times"]


def test_the_evidence_of_a_text_is_the_line_with_the_match() -> None:
    rule = {"op": "contains", "value": "error", "severity": "warning", "say": "an error"}
    assert judged("fine\nan Error here\nfine", findings=[rule]).findings[0].evidence == "an Error here"


def test_many_hits_are_cut_and_counted() -> None:
    found = judged("\n".join(f"a{n} 99%" for n in range(50)), findings=FULL, **TABLE)
    assert len(found.findings) == MAX_PER_RULE + 1
    assert found.findings[-1].text == "and 30 more like it"


def test_facts_state_rows_or_their_absence() -> None:
    facts = [
        {"label": "All", "say": "{name}", "limit": 2},
        {"label": "Top", "say": "{name}", "limit": 1, "rest": False},
        {"label": "None", "say": "{name}", "where": [{"column": "name", "op": "==", "value": "zz"}], "none": "nobody"},
    ]
    stated = judged("a 1%\nb 2%\nc 3%", facts=facts, **TABLE).facts
    assert [(fact.label, fact.text) for fact in stated] == [
        ("All", "a; b; and 1 more"),
        ("Top", "a"),
        ("None", "nobody"),
    ]


def test_templates_know_forms_and_nothing_else() -> None:
    cells = {"b": "1288490188", "k": 2048, "s": "2617", "g": "010200C0", "deep": {"x": [7]}}
    assert fill("{b|size} {k|kib} {s|age} {g|ipv4} {deep.x[0]} {none} {b.__class__}", cells) == (
        "1.2 GiB 2.0 MiB 44 min 192.0.2.1 7 ? ?"
    )
    assert (size_text("x"), size_text(5), age_text("x"), age_text(5)) == ("x", "5 B", "x", "5 s")
    assert age_text(864_000) == "10.0 days"


def test_foreign_text_is_made_safe_to_show() -> None:
    assert (
        clean("a\x1b[31mred\u202e\n b\x00")
        == "a\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER} b\N{REPLACEMENT CHARACTER}"
    )
    assert len(clean("x" * 10_000)) == 300


def test_a_template_in_a_cell_is_not_filled_again() -> None:
    assert fill("{a}", {"a": "{b}", "b": "secret"}) == "{b}"


def test_the_item_of_a_repetition_can_be_named() -> None:
    step = Step.model_validate({"id": "a", "tool": "t", "facts": [{"label": "L", "say": "{item}: {line}"}]})
    assert judge(step, (Row({"line": "x"}, "x"),), "/a").facts[0].text == "/a: x"
