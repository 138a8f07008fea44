from __future__ import annotations

import pytest

from akili_cli.config.secret_checks import secret_problems


def problems(*providers: object, patterns: tuple[object, ...] = ()) -> list[str]:
    data = {"secrets": {"providers": list(providers), "patterns": list(patterns)}}
    return [problem.what for problem in secret_problems(data)]


def test_a_sound_section_has_no_problem() -> None:
    fine = ({"type": "env", "allow": ["DB"], "prefix": "APP_"}, {"type": "file", "allow": ["/run/secrets"]})
    assert problems(*fine, {"type": "keyring", "allow": ["infra"]}, patterns=("ACME-[0-9]+",)) == []


@pytest.mark.parametrize(
    ("provider", "word"),
    [
        ({"type": "env", "allow": ["A-B"]}, "variable"),
        ({"type": "file", "allow": ["rel"]}, "absolute"),
        ({"type": "keyring", "prefix": "x"}, "no effect"),
    ],
)
def test_an_entry_that_could_never_match_is_named(provider: dict[str, object], word: str) -> None:
    (what,) = problems(provider)
    assert word in what


def test_a_place_named_twice_is_named() -> None:
    assert problems({"type": "env"}, {"type": "env"}) == ["the provider type 'env' is used twice"]


@pytest.mark.parametrize("pattern", ["(", "(a+)+", "x*", "", "(?=x)"])
def test_a_pattern_that_is_slow_or_hides_everything_is_refused(pattern: str) -> None:
    assert len(problems(patterns=(pattern,))) == 1


@pytest.mark.parametrize("data", [None, [], {"secrets": 1}, {"secrets": {"providers": [1], "patterns": [2]}}])
def test_wrong_types_are_left_to_the_settings(data: object) -> None:
    assert list(secret_problems(data)) == []
