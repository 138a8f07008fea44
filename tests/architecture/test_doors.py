from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import calls_of, imports_of, name_of, source_files, tree_of

DOORS = {
    "subprocess": ("core/sandbox/",),
    "asyncio.subprocess": ("core/sandbox/",),
    "multiprocessing": ("core/sandbox/",),
    "pty": ("core/sandbox/",),
    "socket": ("adapters/net/", "core/sandbox/"),
    "ssl": ("adapters/net/",),
    "http.client": (),
    "urllib.request": (),
    "requests": (),
    "aiohttp": (),
    "h11": ("adapters/net/",),
    "httpx": ("adapters/net/", "adapters/llm/providers/openai_compatible.py"),  # there for annotations only
    "sqlite3": ("adapters/storage/", "adapters/engine/backends/dbos.py"),  # there for one annotation
    "sqlite_utils": ("adapters/storage/",),
    "psycopg": ("adapters/storage/", "adapters/engine/backends/dbos.py"),  # it reads a DSN, and connects to nothing
    "psycopg_pool": ("adapters/storage/",),
    "yaml": ("adapters/files/yaml.py",),
    "uvicorn": ("adapters/net/",),
    "fastapi": ("gateways/http/", "bootstrap/observability.py"),  # there for one annotation
    "litellm": ("adapters/llm/providers/litellm.py",),
    "rich": ("cli/",),
    "typer": ("cli/",),
    "ctypes": ("core/sandbox/", "adapters/files/paths.py"),  # openat2 has no other way in
    "pickle": (),
    "marshal": (),
    "shelve": (),
}
CALLS = {
    "os.system": (),
    "os.popen": (),
    "os.fork": ("core/sandbox/",),
    "os.execve": ("core/sandbox/",),
    "os.execv": ("core/sandbox/",),
    "os.posix_spawn": ("core/sandbox/",),
    "asyncio.create_subprocess_exec": ("core/sandbox/",),
    "asyncio.create_subprocess_shell": (),
    "eval": (),
    "exec": ("core/sandbox/",),
    "compile": (),
    "__import__": (),
    "print": (),
    "time.time": ("domain/clock.py", "core/sandbox/"),
    "time.monotonic": ("domain/clock.py", "core/sandbox/", "adapters/storage/backends/sqlite.py"),
    "time.sleep": ("core/sandbox/", "adapters/storage/backends/sqlite.py"),  # two processes switching to WAL at once
    "asyncio.sleep": ("domain/clock.py", "core/sandbox/", "cli/prompt.py"),  # a terminal settles in real time
    "httpx.AsyncClient": ("adapters/net/",),
    "httpx.Client": ("adapters/net/",),
    "datetime.now": (),
    "datetime.utcnow": (),
    "input": (),
}


SWALLOWS_ALL = {
    "cli/boundary.py": "the one place where everything ends",
    "adapters/storage/backends/sqlite.py": "the writer thread hands the error to the caller it belongs to",
    "adapters/engine/backends/inline.py": "a body's failure is its run's result",
    "adapters/engine/backends/dbos.py": "a body's failure is its run's result",
    "core/audit/observers.py": "whatever watches the log must not undo what is on the disk",
    "core/schedule/player.py": "a room that breaks ends its fire, not the node",
    "gateways/http/edge.py": "what a route did not expect is logged and answered 500",
    "bootstrap/supervisor.py": "a task that breaks is logged and started again",
}
WITHOUT_REASON = {"adapters/net/client.py", "core/audit/standalone.py", "features/runbooks/logic.py"}


def is_door(file: str, doors: tuple[str, ...]) -> bool:
    return any(file.startswith(door) for door in doors)


@pytest.mark.parametrize("module", DOORS)
def test_a_danger_is_imported_behind_its_door_only(module: str) -> None:
    found = [
        name_of(path)
        for path in source_files()
        for imported in imports_of(path)
        if (imported == module or imported.startswith(module + ".")) and not is_door(name_of(path), DOORS[module])
    ]
    assert found == []


@pytest.mark.parametrize("call", CALLS)
def test_a_danger_is_called_behind_its_door_only(call: str) -> None:
    found = [
        f"{name_of(path)}:{line}"
        for path in source_files()
        for called, line in calls_of(path)
        if called == call and not is_door(name_of(path), CALLS[call])
    ]
    assert found == []


def test_nobody_swallows_everything() -> None:
    found = {
        name_of(path)
        for path in source_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not isinstance(node.body[-1], ast.Raise)
    }
    assert found == set(SWALLOWS_ALL)


def test_every_exception_to_a_check_names_its_code_and_its_reason() -> None:
    found = set()
    for path in source_files():
        for line in path.read_text(encoding="utf-8").splitlines():
            for mark in re.findall(r"# (?:noqa|type: ignore).*", line):
                if not re.match(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]) *[-#] *\S.{5,}", mark):
                    found.add(name_of(path))
    assert found <= WITHOUT_REASON
