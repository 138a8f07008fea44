"""What a person may set in a runbook: checked against its type, and quoted wherever a shell reads it."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from akili_cli.domain.durations import parse_duration
from akili_cli.domain.errors import UsageError
from akili_cli.domain.nearest import nearest
from akili_cli.features.runbooks.model import InputSpec, Step
from akili_cli.features.runbooks.patterns import bounded

Value = str | int | float | bool

MAX_VALUE = 1_000
SHELL_ARGUMENTS = frozenset({("shell_exec", "command"), ("infra_exec", "command")})
CODE_ARGUMENTS = frozenset({("code_exec", "code"), ("database_read", "query"), ("database_read", "sql")})

_HOLE = re.compile(r"\$\{(inputs\.[^{}]*|item)\}")
_ALMOST = re.compile(r"\$\{\s*(inputs?|items?)\b[^}]*\}?")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


def resolve_inputs(specs: Mapping[str, InputSpec], given: Mapping[str, object]) -> dict[str, Value]:
    """Give the inputs that have a value: what was given, else the default.

    Raises ``UsageError`` for an unknown name, a value that does not fit its type, pattern or choices, and a
    required input that is missing.
    """
    for name in given:
        if name not in specs:
            known = ", ".join(specs) or "none"
            raise UsageError(f"there is no input {name!r}{nearest(name, specs)}", hint=f"inputs: {known}")
    missing = missing_inputs(specs, given)
    if missing:
        raise UsageError(f"missing input: {', '.join(missing)}", hint=specs[missing[0]].help)
    out: dict[str, Value] = {}
    for name, spec in specs.items():
        value = given.get(name, spec.default)
        if value is None:
            continue
        try:
            out[name] = input_value(spec, value)
        except ValueError as error:
            raise UsageError(f"input {name!r}: {error}", hint=spec.help) from None
    return out


def missing_inputs(specs: Mapping[str, InputSpec], given: Mapping[str, object]) -> tuple[str, ...]:
    """Name the required inputs that were not given."""
    return tuple(name for name, spec in specs.items() if spec.required and name not in given)


def input_value(spec: InputSpec, value: object) -> Value:
    """Check one value; text is read as the input's type. Raises ``ValueError``."""
    out = _typed(spec, value)
    text = str(out)
    if len(text) > MAX_VALUE:
        raise ValueError(f"longer than {MAX_VALUE} characters")
    if not all(char.isprintable() for char in text):
        raise ValueError("holds a control or invisible character")
    if spec.choices and text not in spec.choices:
        raise ValueError(f"{text!r} is none of {', '.join(spec.choices)}")
    if isinstance(out, str) and text.startswith("-") and not spec.choices:
        raise ValueError("must not start with '-', which programs read as an option")
    if spec.pattern and not re.fullmatch(spec.pattern, bounded(text)):
        raise ValueError(f"{text!r} does not fit the pattern {spec.pattern}")
    return out


def _typed(spec: InputSpec, value: object) -> Value:
    if isinstance(value, bool) or spec.type == "bool":
        return _bool(spec, value)
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a {spec.type}")  # noqa: TRY004 - one kind of refusal
    text = str(value)
    match spec.type:
        case "int":
            return _int(text)
        case "float":
            return _float(text)
        case "duration":
            parse_duration(text)
        case "path":
            _check_path(text)
        case "url":
            _check_url(text)
        case "host":
            _check_host(text)
        case "string":
            pass
    return text


def _bool(spec: InputSpec, value: object) -> bool:
    text = str(value).lower()
    if spec.type != "bool" or text not in ("true", "false"):
        raise ValueError(f"{value!r} is not {'true or false' if spec.type == 'bool' else 'a ' + spec.type}")
    return text == "true"


def _int(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _float(text: str) -> float:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def _check_path(text: str) -> None:
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"{text!r} is not an absolute path without '..'")


def _check_url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or " " in text:
        raise ValueError(f"{text!r} is not an http or https address without credentials")


def _check_host(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not _HOST.fullmatch(text) or ".." in text:
            raise ValueError(f"{text!r} is not a host name or an IP address") from None


def check_holes(step: Step, names: Mapping[str, InputSpec]) -> None:
    """Refuse placeholders that name nothing, or that stand where quoting could not hold them.

    Raises ``ValueError``. In a shell command a placeholder must stand outside quotes, substitutions and
    here-documents, because its value is quoted on the way in; in program text it is never allowed.
    """
    for key, text in _texts(step.with_):
        for almost in _ALMOST.finditer(text):
            if not _HOLE.fullmatch(almost.group()):
                raise ValueError(f"{almost.group()!r} is not a placeholder; write ${{inputs.NAME}} or ${{item}}")
        holes = _HOLE.findall(text)
        for hole in holes:
            _check_name(hole, step, names)
        if holes and (step.tool, key) in CODE_ARGUMENTS:
            raise ValueError(f"a placeholder cannot stand in {step.tool}'s {key}, which is program text")
        if holes and (step.tool, key) in SHELL_ARGUMENTS:
            _check_shell(text)


def _check_name(hole: str, step: Step, names: Mapping[str, InputSpec]) -> None:
    if hole == "item":
        if step.foreach is None:
            raise ValueError("${item} needs foreach")
        return
    name = hole.removeprefix("inputs.")
    if name not in names:
        raise ValueError(f"no input named {name!r}{nearest(name, names)}")


def _check_shell(command: str) -> None:
    if re.search(r"`|\$\(|<<|\$'|\$\"|(^|[\s;&|/])(eval|source|\.|(ba|da|z|k|s)?sh|xargs|env)\s", command):
        raise ValueError("a command with placeholders must be plain: no substitution, here-document or eval")
    bare = ""
    quote = ""
    skip = False
    for char in command:
        if skip:
            skip, char = False, "_"  # noqa: PLW2901 - an escaped character is an ordinary one
        elif char == "\\" and quote != "'":
            skip = True
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        bare += "_" if quote else char
    if quote:
        raise ValueError("a quote is not closed")
    if len(_HOLE.findall(bare)) != len(_HOLE.findall(command)):
        raise ValueError("a placeholder must stand outside quotes: its value is quoted on the way in")
    if re.search(r"(^|\s)#", bare):
        raise ValueError("a command with placeholders holds no comment")


def _texts(value: object, key: str = "") -> list[tuple[str, str]]:
    """Give every text in nested arguments with the top-level argument it belongs to."""
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, Mapping):
        return [pair for name, inner in value.items() for pair in _texts(inner, key or str(name))]
    if isinstance(value, list):
        return [pair for inner in value for pair in _texts(inner, key)]
    return []


def has_values(step: Step, inputs: Mapping[str, Value]) -> bool:
    """Tell whether every input that a step uses was set."""
    used = {hole for _, text in _texts(step.with_) for hole in _HOLE.findall(text)} - {"item"}
    return all(name.removeprefix("inputs.") in inputs for name in used)


def fill_arguments(step: Step, inputs: Mapping[str, Value], item: str | None = None) -> dict[str, object]:
    """Give the step's tool arguments with placeholders filled; quoted where a shell will read them."""
    values: dict[str, Value] = {f"inputs.{name}": value for name, value in inputs.items()}
    if item is not None:
        values["item"] = item
    return {key: _fill(value, values, shell=(step.tool, key) in SHELL_ARGUMENTS) for key, value in step.with_.items()}


def _fill(value: object, values: Mapping[str, Value], *, shell: bool) -> object:
    if isinstance(value, Mapping):
        return {key: _fill(inner, values, shell=shell) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, values, shell=shell) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _HOLE.fullmatch(value)
    if whole and not shell:
        return values[whole[1]]

    def put(hole: re.Match[str]) -> str:
        one = values[hole[1]]
        text = str(one).lower() if isinstance(one, bool) else str(one)
        return shlex.quote(text) if shell else text

    return _HOLE.sub(put, value)
