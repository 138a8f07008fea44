"""Tells whether a process of this machine is still there."""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    """Tell whether a process of that number exists; another one may have taken the number since."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
