from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from akili_cli.core.sandbox import launcher

HEAVY = {"json", "re", "enum", "typing", "pathlib", "signal", "socket", "subprocess", "pydantic", "asyncio"}


def test_the_launcher_loads_nothing_that_costs_milliseconds() -> None:
    path = Path(launcher.__file__)
    code = f"""
import sys
before = set(sys.modules)
path = {str(path)!r}
exec(compile(open(path).read(), path, "exec"), {{"__name__": "launcher", "__file__": path}})
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "akili_cli.core.sandbox.inside" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_a_launcher_without_a_request_ends_with_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", launcher.__file__, "0"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode != 0


def test_the_launcher_signals_only_its_own_child() -> None:
    tree = ast.parse(Path(launcher.__file__).read_text())
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call for call in calls if "kill(" in call] == ["os.kill(child, _SIGKILL)"]
