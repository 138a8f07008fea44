from __future__ import annotations

import pytest

from akili_cli.features.runbooks.logic import content_words, index_body, rank, stem
from tests.unit.features.runbooks.samples import runbook


def row(name: str, keywords: str, prose: str = "", score: float = 1.0) -> dict[str, object]:
    body = f"keywords: {keywords}\n{prose}"
    return {"path": f"/{name}.md", "slug": name, "name": name, "category": "c", "body": body, "score": score}


ROWS = [row("disk-check", "disk; disk full; space", "also about memory"), row("memory-check", "memory; ram")]


def best(message: str, **values: float) -> list[str]:
    return [match.slug for match in rank(message, ROWS, limit=2, threshold=values.get("threshold", 0.05))]


def test_keywords_weigh_more_than_prose() -> None:
    assert best("how much memory is used") == ["memory-check", "disk-check"]


@pytest.mark.parametrize("message", ["run disk-check for memory", 'play "Disk Check" memory ram'])
def test_a_runbook_that_is_named_in_full_wins(message: str) -> None:
    matches = rank(message, ROWS, limit=2, threshold=0.05)
    assert matches[0].slug == "disk-check"
    assert 1 < matches[0].score <= 2


def test_words_are_matched_whole_and_in_their_common_forms() -> None:
    assert best("are the disks full") == ["disk-check"]
    assert best("diskette ramp") == []
    assert (stem("failing"), stem("failed"), stem("queries"), stem("disks")) == ("fail", "fail", "query", "disk")


def test_stop_words_say_nothing() -> None:
    assert content_words("What is the state of THE disk?") == ["stat", "disk"]
    assert best("what is this") == []


def test_equal_scores_are_ordered_by_name() -> None:
    rows = [row("b", "x1"), row("a", "x1")]
    assert [match.slug for match in rank("x1", rows, limit=2, threshold=0.0)] == ["a", "b"]


def test_the_threshold_is_exclusive_and_the_limit_holds() -> None:
    assert best("memory", threshold=1.0) == []
    assert len(rank("memory disk", ROWS, limit=1, threshold=0.0)) == 1


def test_the_index_holds_keywords_and_prose_but_no_steps() -> None:
    book = runbook("id: a\ntool: shell_exec\nwith: {command: secretcommand}", extra="keywords: [alpha, two words]\n")
    body = index_body(book)
    assert body.startswith("keywords: alpha; two words\n")
    assert "secretcommand" not in body
    assert "# Sample" in body
