from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import Akili


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_with_a_report_and_its_code(akili: Akili, number: signal.Signals, code: int) -> None:
    with ModelServer([Reply(fault="hang", repeat=True)]) as server:
        akili.configure(model_url=server.url)
        process = akili.start("query", "-m", "hi", "--json")
        try:
            deadline = time.monotonic() + 20
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(number)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == code, err.decode()
    assert json.loads(out)["status"] == "interrupted"
    assert b"Traceback" not in err
    tail = akili.run("audit", "verify")
    assert tail.returncode == 0, tail.stdout


def read_by(process: subprocess.Popen[bytes]) -> bool:
    """Tell, at last, whether a process waits for its standard input to say more."""
    assert process.stdin
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        waiting = fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, b"\0" * 4)
        if waiting == b"\0" * 4:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("message", ["hi", "-"])
@pytest.mark.parametrize("flag", ["--json", "--jsonl", "--stream"])
def test_a_signal_while_standard_input_is_read_ends_at_once_with_a_report_and_its_code(
    akili: Akili, flag: str, message: str, number: signal.Signals, code: int
) -> None:
    akili.configure()
    process = akili.start("query", "-m", message, flag, stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(b"half a line")
    process.stdin.flush()
    try:
        assert read_by(process)
        process.send_signal(number)
        process.wait(timeout=10)
        out, err = process.communicate()
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code, err.decode()
    assert err == (b"interrupted\n" if number is signal.SIGINT else b"terminated\n")
    if flag == "--stream":
        assert out == b""
        return
    said = json.loads(out)
    assert (said["status"], said["schema"]) == ("interrupted", "akili.run/1")
    assert "event" in said if flag == "--jsonl" else said["error"] == "interrupted before the run began"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("command", [["secrets", "set", "db"], ["query", "-m", "-"]], ids=" ".join)
def test_a_signal_while_akili_waits_for_a_first_word_ends_it(
    akili: Akili, command: list[str], number: signal.Signals, code: int
) -> None:
    akili.configure()
    read, write = os.pipe()
    process = akili.start(*command, stdin=read)
    try:
        assert waits(process)
        process.send_signal(number)
        process.wait(timeout=10)
        out, err = process.communicate()
    finally:
        process.kill()
        process.communicate()
        os.close(read)
        os.close(write)
    assert (process.returncode, out) == (code, b""), err.decode()
    assert b"Traceback" not in err


def waits(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process comes to wait for its standard input, by what it does in the kernel."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        where = Path(f"/proc/{process.pid}/wchan").read_text()
        if "poll" in where or "select" in where or "pipe" in where:
            return True
        time.sleep(0.02)
    return False


BEGINNING = """
import os, sys
from akili_cli.__main__ import main
try:
    os.write(2, b"begun\\n")
    sys.exit(main())
except KeyboardInterrupt as error:
    sys.exit(130 if error.__traceback__.tb_next is None else "akili let it through")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_a_signal_at_any_time_of_the_start_is_no_bug(akili: Akili, number: signal.Signals, delay_s: float) -> None:
    with ModelServer([Reply(fault="hang", repeat=True)]) as server:
        akili.configure(model_url=server.url)
        process = subprocess.Popen(
            [sys.executable, "-c", BEGINNING, "query", "-m", "hi", "--json"],
            cwd=akili.work,
            env=akili.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr
        assert process.stderr.readline() == b"begun\n"
        try:
            time.sleep(delay_s)
            process.send_signal(number)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
            process.communicate()
    plain = -signal.SIGTERM  # before akili's own handler is there; a shell reports both as 143
    assert process.returncode in (128 + number, plain if number is signal.SIGTERM else 130), err.decode()
    assert b"bug" not in err
    assert b"Traceback" not in err
    assert out == b"" or json.loads(out)["status"] == "interrupted"


def test_a_signal_while_a_command_runs_leaves_no_process_and_an_honest_record(akili: Akili, tmp_path: Path) -> None:
    allow = {
        "id": "sleepy",
        "match": {"commands": ["sleep"], "tools": ["shell_exec"]},
        "verdict": "allow",
        "because": "a test sleeps",
        "risk": "low",
    }
    sleeping = f"sleep 61.{os.getpid() % 1000:03d}"
    with ModelServer([Reply(tool_calls=[Call("shell_exec", {"command": sleeping})])]) as server:
        akili.configure(model_url=server.url, policies={"rules": [allow]})
        process = akili.start("query", "-m", "hi", "--json")
        try:
            deadline = time.monotonic() + 20
            while sleeping not in processes() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert sleeping in processes()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 143, err.decode()
    assert json.loads(out)["status"] == "interrupted"
    assert sleeping not in processes()
    records = akili.run("audit", "tail", "--tool", "shell_exec", "--json").stdout.decode().splitlines()
    assert [json.loads(line)["result"] for line in records] == ["intent", "interrupted"]


def processes() -> str:
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(lines)
