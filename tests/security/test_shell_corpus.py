from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akili_cli.core.tools.shell.effects import shell_effects
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError

CORPUS = Path(__file__).parent / "corpora" / "shell.txt"
PICTURES = str.maketrans({"␤": "\n", "␉": "\t", "␍": "\r", "␀": "\x00"})
CASES = [
    line.split("\t") for line in CORPUS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("# ")
]
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def effects_of(command: str) -> Effects:
    return shell_effects(command, cwd="/srv/app", home="/home/op")


@pytest.mark.parametrize(("verdict", "command", "expectations"), CASES, ids=[case[1][:60] for case in CASES])
def test_each_line_of_the_corpus_has_its_verdict(verdict: str, command: str, expectations: str) -> None:
    command = command.translate(PICTURES)
    if verdict == "invalid":
        with pytest.raises(InvalidArgumentsError):
            effects_of(command)
        return
    effects = effects_of(command)
    if verdict != "any":
        assert (effects.opaque is not None) == (verdict == "opaque"), effects.opaque
    for name, _, wanted in (item.partition("=") for item in expectations.split()):
        match name:
            case "commands":
                assert set(wanted.split(",")) <= {one.program for one in effects.commands}
            case "none":
                assert wanted not in {one.program for one in effects.commands}
            case "wrappers":
                assert any(wanted in one.wrappers for one in effects.commands)
            case "reversible":
                assert effects.reversible == (wanted == "yes")
            case _:
                assert set(wanted.split(",")) <= set(getattr(effects, name))


def test_the_corpus_is_not_thin() -> None:
    assert len(CASES) >= 150


SHELLISH = st.text(alphabet=st.sampled_from(list("rm ls;|&()<>{}$'\"`\\\n\t#=!*?[]~-x1/E")), max_size=60)


@QUICK
@given(st.one_of(st.text(max_size=200), SHELLISH))
def test_any_text_gives_effects_or_is_refused_as_invalid(text: str) -> None:
    try:
        effects_of(text)
    except InvalidArgumentsError:
        assert "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)


@pytest.mark.parametrize(
    "text",
    [
        "$(" * 30_000,
        "(" * 50_000,
        "`" * 50_000,
        "{ " * 30_000,
        "if " * 30_000,
        "'" * 99_999,
        '"$(' * 20_000,
        "${x:-" * 15_000,
        "a" * 100_000,
        "ls;" * 33_000,
        "sudo " * 15_000 + "rm",
        "<<E " * 20_000,
        "\\" * 99_999,
        "a=" * 40_000,
        "$((" * 30_000,
        "sed '" + "s/a/b/;" * 280 + "'",
        "sed 's/" + "\\a" * 900 + "'",
        "awk '" + "a" * 90_000 + "'",
        "cd a; " * 15_000,
    ],
    ids=range(19),
)
def test_long_and_deep_texts_end_soon(text: str) -> None:
    start = time.perf_counter()
    effects_of(text)
    assert time.perf_counter() - start < 10


WRAPPERS = st.sampled_from(
    [
        "sudo -u bob",
        "env A=1",
        "nice -n 3",
        "timeout 5",
        "nohup",
        "setsid",
        "stdbuf -oL",
        "time -p",
        "command",
        "ionice -c 3",
        "exec",
        "flock /tmp/l",
        "taskset -c 0",
        "busybox",
    ]
)


@QUICK
@given(st.lists(WRAPPERS, max_size=5), st.booleans())
def test_a_chain_of_wrappers_reveals_the_inner_program(chain: list[str], shell: bool) -> None:
    line = " ".join([*chain, "sh -c 'rm x'" if shell else "rm x"])
    effects = effects_of(line)
    assert "rm" in {one.program for one in effects.commands}
    assert effects.deletes == ("/srv/app/x",) or effects.opaque


QUOTES = st.sampled_from(["{}", "'{}'", '"{}"', "\\{}", "''{}", '{}""', "$'{}'", "$(printf {})", "`echo {}`"])


@QUICK
@given(st.tuples(QUOTES, QUOTES), st.sampled_from(["", "echo hi; ", "true && ", "! ", "x=1 ", ">y "]))
def test_a_quoted_program_name_is_revealed_or_opaque(quotes: tuple[str, str], before: str) -> None:
    effects = effects_of(before + quotes[0].format("r") + quotes[1].format("m") + " x")
    assert effects.opaque or "rm" in {one.program for one in effects.commands}
