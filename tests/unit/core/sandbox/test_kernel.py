from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from akili_cli.core.sandbox import kernel


def test_a_refused_call_is_an_os_error_that_names_it() -> None:
    with pytest.raises(OSError, match="pidfd_send_signal: Bad file descriptor"):
        kernel.send_signal(-1, 0)
    with pytest.raises(OSError, match="prctl 9999"):
        kernel.prctl(9999)


def test_a_plain_path_opens_and_one_through_a_symlink_does_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    os.close(kernel.open_plain(os.fsencode(tmp_path / "file")))
    os.close(kernel.open_followed(os.fsencode(tmp_path / "link" / "file")))
    for path in (tmp_path / "link", tmp_path / "link" / "file"):
        with pytest.raises(OSError, match="symbolic links"):
            kernel.open_plain(os.fsencode(path))
    with pytest.raises(FileNotFoundError):
        kernel.open_plain(os.fsencode(tmp_path / "none"))


def test_a_signal_goes_to_the_process_behind_the_handle() -> None:
    process = subprocess.Popen(["sleep", "30"])
    handle = os.pidfd_open(process.pid)
    kernel.send_signal(handle, signal.SIGTERM)
    assert process.wait(5) == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        kernel.send_signal(handle, signal.SIGTERM)
    os.close(handle)
