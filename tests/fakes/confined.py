"""Runs a snippet in a fresh interpreter, for code that restricts the process it runs in for good."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path


def confined(code: str) -> str:
    """Give what the snippet prints; an exception in it fails the test."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
