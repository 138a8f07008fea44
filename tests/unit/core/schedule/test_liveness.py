from __future__ import annotations

import os
import subprocess
import sys

from akili_cli.core.schedule.liveness import is_running


def test_a_process_runs_until_it_has_ended() -> None:
    assert is_running(os.getpid())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not is_running(ended.pid)
