from __future__ import annotations

import pytest

from akili_cli.core.tools.git.arguments import check_arguments, check_subcommand
from akili_cli.core.tools.git.options import MAX_ARGUMENTS
from akili_cli.domain.errors import InvalidArgumentsError


def check(subcommand: str, *args: str, cwd: str = "/repo") -> tuple[str, ...]:
    return check_arguments(subcommand, list(args), top="/repo", cwd=cwd)


@pytest.mark.parametrize(
    ("subcommand", "args", "passed"),
    [
        ("log", ["-n", "3"], ("-n3",)),
        ("log", ["--grep", "x y", "HEAD"], ("--grep=x y", "HEAD")),
        ("log", ["-S", "--output=x"], None),
        ("log", ["-S--output=x"], ("-S--output=x",)),
        ("log", ["-12", "--", "-odd", "a"], ("-12", "--", "-odd", "a")),
        ("diff", ["-U", "5", "-M90%"], ("-U5", "-M90%")),
        ("branch", ["--contains", "v1", "-a"], ("--contains=v1", "-a")),
        ("branch", ["--merged"], ("--merged=HEAD",)),
        ("branch", ["--merged", "-a"], ("--merged=HEAD", "-a")),
        ("status", ["-uno", "-sb"], ("-uno", "-sb")),
    ],
)
def test_values_are_handed_on_attached(subcommand: str, args: list[str], passed: tuple[str, ...] | None) -> None:
    if passed is None:
        with pytest.raises(InvalidArgumentsError, match="looks like an option"):
            check(subcommand, *args)
    else:
        assert check(subcommand, *args) == passed


def test_the_refusal_names_the_option() -> None:
    with pytest.raises(InvalidArgumentsError, match="--ext-diff"):
        check("log", "-p", "--ext-diff")


@pytest.mark.parametrize("arg", ["\ud800", "a\0b", "x" * 4097, ""], ids=["surrogate", "nul", "long", "empty"])
def test_text_that_is_no_argument_is_refused(arg: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        check("log", arg)


def test_too_many_arguments_and_missing_values_are_refused() -> None:
    for args in (["a"] * (MAX_ARGUMENTS + 1), ["--grep"], ["-n"]):
        with pytest.raises(InvalidArgumentsError):
            check("log", *args)


def test_paths_count_from_where_the_question_is_asked() -> None:
    assert check("log", "--", "../x", cwd="/repo/sub") == ("--", "../x")
    with pytest.raises(InvalidArgumentsError, match="outside"):
        check("log", "--", "../../x", cwd="/repo/sub")


def test_subcommands_are_told_apart() -> None:
    for name in ("log", "diff", "status", "show", "branch"):
        check_subcommand(name)
    with pytest.raises(InvalidArgumentsError, match="changes the repository"):
        check_subcommand("commit")
    with pytest.raises(InvalidArgumentsError, match="other repositories"):
        check_subcommand("push")
    with pytest.raises(InvalidArgumentsError, match="not one of"):
        check_subcommand("daemon")
