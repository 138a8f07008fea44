"""Start several akili processes on one database at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.contract.places import Place

PROGRAM = Path(__file__).with_name("storage_process.py")


def run_together(verb: str, place: Place, *, processes: int, times: int) -> list[int]:
    """Give what each process printed; a process that fails fails the test with its own words."""
    command = [sys.executable, str(PROGRAM), verb, *place, str(times)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    counts = []
    for process in started:
        out, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        counts.append(int(out))
    return counts
