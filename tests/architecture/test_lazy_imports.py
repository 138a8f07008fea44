from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "litellm",
    "mcp",
    "fastapi",
    "starlette",
    "uvicorn",
    "prometheus_client",
    "sqlalchemy",
    "dbos",
    "keyring",
    "openai",
    "anthropic",
    "google",
    "psycopg",
    "docker",
    "prometheus_client",
    "opentelemetry",
)
PARSER_ONLY = (*HEAVY, "httpx", "pydantic", "rich", "yaml", "sqlite3", "asyncio", "prompt_toolkit")
PROGRAM = """
import sys
from akili_cli.__main__ import main
sys.argv = ["akili", *sys.argv[1:]]
code = main()
sys.stderr.write("\\n" + repr(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


def imported_by(tmp_path: Path, *arguments: str) -> set[str]:
    """Run the command line in a fresh interpreter and give the top-level modules it loaded."""
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, *arguments],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = eval(done.stderr.rpartition("\n")[2])
    return set(names)


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["-V"], ["--help"], ["query", "--help"], ["approvals", "--help"], ["version"]],
    ids=" ".join,
)
def test_help_and_version_import_nothing_that_is_not_needed_to_print_them(tmp_path: Path, arguments: list[str]) -> None:
    assert not imported_by(tmp_path, *arguments) & set(PARSER_ONLY)


def test_the_version_is_printed_before_even_the_parser_is_imported(tmp_path: Path) -> None:
    assert not imported_by(tmp_path, "--version") & {"typer", "click", "asyncio", "json"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "-m", "Is this host healthy?"],
        ["runbooks", "list"],
        ["approvals", "list"],
        ["audit", "tail"],
        ["budget"],
        ["config", "check"],
        ["doctor"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_embedded_commands_never_import_what_only_a_gateway_or_a_model_needs(
    tmp_path: Path, arguments: list[str]
) -> None:
    assert not imported_by(tmp_path, *arguments) & set(HEAVY)


def test_the_builtin_provider_needs_no_http_client(tmp_path: Path) -> None:
    assert "httpx" not in imported_by(tmp_path, "query", "-m", "Is this host healthy?")
