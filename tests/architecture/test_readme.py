from __future__ import annotations

import re
from pathlib import Path

import pytest

from akili_cli.cli.boundary import BROKEN_PIPE, BUG, INTERRUPTED, TERMINATED, USAGE
from akili_cli.cli.main import COMMANDS
from akili_cli.config.planned import KNOWN_VARIABLES
from akili_cli.core.agent.exits import DETAILED_EXIT_CODES, EXIT_CODES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LATER = {"AKILI_WS_AGENT_TOKEN", "AKILI_TOOL_DB_DSN"}
SOURCES = [path.read_text() for path in (ROOT / "akili_cli").rglob("*.py")]


def section(title: str) -> str:
    return README.partition(f"\n{title}\n")[2].partition("\n#")[0]


def test_every_command_is_named_with_its_verbs() -> None:
    import importlib

    import typer

    table = section("## Commands")
    for name, (module, _line) in COMMANDS.items():
        command = typer.main.get_command(importlib.import_module(module).app)
        row = next((line for line in table.splitlines() if line.startswith(f"| `akili {name}")), "")
        assert row, name
        for verb in getattr(command, "commands", {}):
            assert re.search(rf"[ |\\]{verb}[`\\ ]", row), f"{name} {verb}"


def test_no_command_is_named_that_does_not_exist() -> None:
    named = re.findall(r"^\| `akili ([a-z]+)", section("## Commands"), re.MULTILINE)
    assert set(named) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(KNOWN_VARIABLES - LATER))
def test_every_variable_is_named(name: str) -> None:
    assert f"`{name}`" in section("### Environment")


def test_no_variable_is_named_that_nothing_reads() -> None:
    for name in re.findall(r"`([A-Z][A-Z_]{3,})`", section("### Environment")):
        assert any(f'"{name}"' in source for source in SOURCES), name


def test_every_exit_code_is_named_and_no_other() -> None:
    used = {*EXIT_CODES.values(), *DETAILED_EXIT_CODES.values()}
    used |= {USAGE, BUG, INTERRUPTED, TERMINATED, BROKEN_PIPE}
    rows = re.findall(r"^\| ([0-9, ]+) \|", section("### Exit codes"), re.MULTILINE)
    named = {int(number) for row in rows for number in row.split(",")}
    assert named == used


def test_the_test_command_is_the_one_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    assert "-m pytest" in section("## Contributing")
    assert re.search(r"-m pytest$", ci, re.MULTILINE)
    assert "install -q -e '.[dev]'" in section("## Contributing")
    assert "install -q -e '.[dev]'" in ci


def test_no_registry_host_is_named_anywhere() -> None:
    hosts = ("pypi." + "org", "npmjs." + "org", "proxy.golang." + "org", "deb.debian." + "org")
    for path in ROOT.rglob("*"):
        skipped = any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)
        if skipped or not path.is_file() or path.suffix in (".pyc", ".whl"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not any(host in text for host in hosts), path
