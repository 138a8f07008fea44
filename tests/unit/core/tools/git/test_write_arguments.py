from __future__ import annotations

import pytest

from akili_cli.core.tools.git.write_arguments import (
    WRITE_VERBS,
    check_write_arguments,
    check_write_verb,
    name_of,
    removed_paths,
)
from akili_cli.domain.errors import InvalidArgumentsError


def checked(subcommand: str, *args: str) -> tuple[str, ...]:
    return check_write_arguments(subcommand, list(args), top="/repo", cwd="/repo/sub")


def test_the_verbs_are_those_of_the_tool() -> None:
    assert set(WRITE_VERBS) == {
        *("add", "commit", "checkout", "branch", "tag", "stash", "merge", "rebase"),
        *("reset", "rm", "mv", "restore", "switch", "cherry-pick"),
    }
    for verb in WRITE_VERBS:
        check_write_verb(verb)


@pytest.mark.parametrize("verb", ["", "ADD", "add ", "-c", "--exec-path", "commit\n", "x" * 40])
def test_anything_else_is_no_verb(verb: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        check_write_verb(verb)


def test_values_are_attached() -> None:
    assert checked("commit", "-m", "two words", "--date", "now") == ("-mtwo words", "--date=now")
    assert checked("commit", "-am", "x") == ("-amx",)
    assert checked("rebase", "--onto", "main", "-X", "ours") == ("--onto=main", "-Xours")


def test_a_stash_without_a_verb_is_a_push() -> None:
    assert checked("stash") == ("push",)
    assert checked("stash", "-u", "--", "f") == ("push", "-u", "--", "f")
    assert checked("stash", "pop") == ("pop",)


def test_paths_stay_in_the_work_tree() -> None:
    assert checked("add", "../a", "--", "b") == ("../a", "--", "b")
    for path in ("../../a", "/etc/passwd", ":/../x", ":(top)../../x", "a\n", ""):
        with pytest.raises(InvalidArgumentsError):
            checked("add", path)
        with pytest.raises(InvalidArgumentsError):
            checked("add", "--", path)


@pytest.mark.parametrize("args", [("-m", ""), ("--message=",), ("-m",), ("--amend=x",), ("-mx\0",), ("\ud800",)])
def test_an_empty_or_impossible_value_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgumentsError):
        checked("commit", *args)


def test_too_many_arguments_are_refused() -> None:
    with pytest.raises(InvalidArgumentsError, match="more than"):
        checked("add", *["x"] * 101)


def test_the_name_of_an_option_comes_without_its_value() -> None:
    assert [name_of(arg) for arg in ("--a=b", "-mx", "-rf", "-SW", "-f")] == ["--a", "-m", "-rf", "-SW", "-f"]


def test_removed_paths_know_patterns_and_dashes() -> None:
    def removed(*passed: str) -> tuple[str, ...]:
        return removed_paths("rm", passed, top="/repo", cwd="/repo/sub")

    assert removed("-r", "a", "../b") == ("/repo/sub/a", "/repo/b")
    assert removed("d/*.c", "../*", ":/x") == ("/repo/sub/d",)
    assert removed("--", "-f") == ("/repo/sub/-f",)
    assert removed("--cached", "a") == ()
    assert removed_paths("mv", ("a", "b"), top="/repo", cwd="/repo") == ()
