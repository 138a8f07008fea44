from __future__ import annotations

import pytest

from akili_cli.core.tools.git.options import MAX_ARGUMENT_BYTES, MAX_ARGUMENTS, check_texts, read_table, take_option
from akili_cli.domain.errors import InvalidArgumentsError

TABLE = read_table("--flag -f --value= -v= --maybe[=] -m[=] --of --ab")


def take(*words: str) -> tuple[str, list[str]]:
    seen: list[str] = []
    arg, *waiting = words
    taken = take_option(
        TABLE,
        arg,
        waiting,
        command="git x",
        check=lambda name, value: seen.append(f"{name}:{value}"),
        implied={"--of": "HEAD"},
    )
    return taken, [*seen, *waiting]


@pytest.mark.parametrize(
    ("words", "taken", "rest"),
    [
        (["--flag"], "--flag", []),
        (["-f", "x"], "-f", ["x"]),
        (["--value=a=b"], "--value=a=b", ["--value:a=b"]),
        (["--value", "a", "b"], "--value=a", ["--value:a", "b"]),
        (["--value=-x"], "--value=-x", ["--value:-x"]),
        (["-va"], "-va", ["-v:a"]),
        (["-v", "a"], "-va", ["-v:a"]),
        (["--maybe", "a"], "--maybe", ["a"]),
        (["--maybe=a"], "--maybe=a", ["--maybe:a"]),
        (["-ma"], "-ma", ["-m:a"]),
        (["--of", "a"], "--of=a", ["--of:a"]),
        (["--of", "-a"], "--of=HEAD", ["--of:HEAD", "-a"]),
        (["--of"], "--of=HEAD", ["--of:HEAD"]),
    ],
)
def test_values_are_handed_on_attached_and_checked(words: list[str], taken: str, rest: list[str]) -> None:
    assert take(*words) == (taken, rest)


@pytest.mark.parametrize(
    "words",
    [
        *(["--fla"], ["--flag=x"], ["-fx"], ["--valu=a"], ["--a"], ["-x"], ["-"], ["--"], ["--=x"], ["-F"], ["--FLAG"]),
        *(["--value"], ["--value", "--flag"], ["-v", "-f"], ["-v"]),
    ],
    ids=" ".join,
)
def test_abbreviations_bundles_and_missing_values_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidArgumentsError, match=r"^git x "):
        take(*words)


@pytest.mark.parametrize(
    "args", [["a"] * (MAX_ARGUMENTS + 1), ["a\0"], ["\udc80"], ["x" * (MAX_ARGUMENT_BYTES + 1)]], ids=ascii
)
def test_what_no_program_can_be_given_is_refused(args: list[str]) -> None:
    check_texts(["a"] * MAX_ARGUMENTS)
    with pytest.raises(InvalidArgumentsError):
        check_texts(args)
