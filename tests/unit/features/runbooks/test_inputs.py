from __future__ import annotations

import shlex

import pytest

from akili_cli.domain.errors import ConfigError, UsageError
from akili_cli.features.runbooks.inputs import (
    fill_arguments,
    has_values,
    input_value,
    missing_inputs,
    resolve_inputs,
)
from akili_cli.features.runbooks.model import InputSpec, Step
from tests.unit.features.runbooks.samples import runbook

HOSTILE = [
    "$(reboot)",
    "`reboot`",
    "a; reboot",
    "a && reboot",
    "a | sh",
    "a > /etc/passwd",
    "'; reboot; '",
    '"; reboot; "',
    "a\\",
    "${HOME}",
    "*",
    "~root",
    "a b",
    "#x",
    "!x",
]


def spec(**values: object) -> InputSpec:
    return InputSpec.model_validate(values)


def shell(command: str) -> Step:
    return Step.model_validate({"id": "a", "tool": "shell_exec", "with": {"command": command}})


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "hello", "hello"),
        ("int", "42", 42),
        ("int", "-3", -3),
        ("float", "1.5", 1.5),
        ("bool", "true", True),
        ("duration", "1h30m", "1h30m"),
        ("path", "/var/log/x.log", "/var/log/x.log"),
        ("url", "https://example.com/a?b=c", "https://example.com/a?b=c"),
        ("host", "db-1.example.com", "db-1.example.com"),
        ("host", "::1", "::1"),
    ],
)
def test_text_is_read_as_the_inputs_type(kind: str, text: str, value: object) -> None:
    assert input_value(spec(type=kind), text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "4.2"),
        ("int", "\u0661"),
        ("int", "1_0"),
        ("float", "nan"),
        ("float", "1e5"),
        ("bool", "yes"),
        ("duration", "soon"),
        ("path", "relative"),
        ("path", "/a/../etc"),
        ("path", "-rf"),
        ("url", "file:///etc/passwd"),
        ("url", "http://user:pw@host/"),
        ("url", "http://"),
        ("host", "a b"),
        ("host", "-oProxyCommand=x"),
        ("host", "a;b"),
        ("host", "a..b"),
        ("string", "-rf"),
        ("string", "a\nb"),
        ("string", "a\x1b[0m"),
        ("string", "a\u202eb"),
        ("string", "a\x00"),
        ("string", "x" * 1001),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        input_value(spec(type=kind), text)


def test_pattern_and_choices_must_hold_as_a_whole() -> None:
    assert input_value(spec(pattern="[a-z]+"), "abc") == "abc"
    with pytest.raises(ValueError, match="pattern"):
        input_value(spec(pattern="[a-z]+"), "abc; reboot")
    with pytest.raises(ValueError, match="none of"):
        input_value(spec(choices=["a", "b"]), "c")


def test_defaults_are_used_and_inputs_without_a_value_are_left_out() -> None:
    specs = {"a": spec(default="x"), "b": spec(), "c": spec(required=True)}
    assert missing_inputs(specs, {}) == ("c",)
    assert resolve_inputs(specs, {"c": "y"}) == {"a": "x", "c": "y"}


@pytest.mark.parametrize(
    ("given", "what"),
    [({"hots": "x"}, "did you mean `host`"), ({}, "missing input: host"), ({"host": "a b"}, "input 'host'")],
    ids=["unknown", "missing", "wrong"],
)
def test_inputs_that_do_not_fit_are_refused_in_words(given: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        resolve_inputs({"host": spec(type="host", required=True)}, given)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_lands_in_a_command_as_one_word(value: str) -> None:
    command = str(fill_arguments(shell("grep x ${inputs.v} file"), {"v": value})["command"])
    assert shlex.split(command) == ["grep", "x", value, "file"]


@pytest.mark.parametrize("value", HOSTILE)
def test_an_item_of_foreach_lands_in_a_command_as_one_word(value: str) -> None:
    assert shlex.split(str(fill_arguments(shell("cat ${item}"), {}, value)["command"])) == ["cat", value]


def test_outside_commands_a_whole_placeholder_keeps_its_type() -> None:
    step = Step.model_validate({"id": "a", "tool": "t", "with": {"n": "${inputs.n}", "l": ["x${inputs.n}"]}})
    assert fill_arguments(step, {"n": 5}) == {"n": 5, "l": ["x5"]}


def test_a_step_knows_whether_its_inputs_are_set() -> None:
    assert has_values(shell("cat ${inputs.v}"), {"v": "x"})
    assert not has_values(shell("cat ${inputs.v}"), {})


@pytest.mark.parametrize(
    "command",
    [
        'grep "${inputs.v}" f',
        "grep '${inputs.v}' f",
        "echo $(cat ${inputs.v})",
        "echo `cat ${inputs.v}`",
        "cat <<E ${inputs.v}",
        "eval ${inputs.v}",
        "sh -c ${inputs.v}",
        "sudo /bin/bash -c ${inputs.v}",
        "ssh host ${inputs.v}",
        "echo \\${inputs.v}",
        "echo $'${inputs.v}'",
        "true # ${inputs.v}",
        "echo 'open ${inputs.v}",
        "cat ${inputs.w}",
        "cat ${input.v}",
        "cat ${ inputs.v }",
        "cat ${inputs.v",
        "cat ${item}",
    ],
)
def test_a_placeholder_where_quoting_cannot_hold_it_is_refused(command: str) -> None:
    quoted = command.replace("'", "''")
    step = f"id: a\ntool: shell_exec\nwith: {{command: '{quoted}'}}"
    with pytest.raises(ConfigError, match=r"sample\.md:\d+"):
        runbook(step, extra="inputs: {v: {default: x}}\n")


def test_a_placeholder_in_program_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="program text"):
        runbook("id: a\ntool: code_exec\nwith: {code: 'print(${inputs.v})'}", extra="inputs: {v: {default: x}}\n")
