from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest, Sandbox
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

PERMIT = permit_for(Effects())


@pytest.fixture(params=["process"])
def sandbox(tmp_path: Path) -> Sandbox:
    return ProcessSandbox(SandboxSettings(max_output_bytes=4096), tmp_path / "scratch", SystemClock())


def shell(line: str, **more: object) -> ExecRequest:
    return ExecRequest(("sh", "-c", line), 10.0, **more)  # type: ignore[arg-type]


async def test_a_command_runs_and_its_output_comes_back(sandbox: Sandbox) -> None:
    result = await sandbox.run(shell("echo out; echo err >&2; exit 3"), PERMIT)
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
    assert not result.timed_out
    assert not result.truncated


async def test_every_active_layer_is_named_in_the_result(sandbox: Sandbox) -> None:
    layers = sandbox.layers()
    assert tuple(layer.name for layer in layers) == LAYERS
    assert all(layer.active or layer.detail for layer in layers)
    result = await sandbox.run(shell("true"), PERMIT)
    assert result.layers == tuple(layer.name for layer in layers if layer.active)


async def test_the_environment_is_the_sandboxs_own(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKILI_TEST_SECRET", "leak")
    result = await sandbox.run(shell("env", env={"EXTRA": "a=b"}), PERMIT)
    found = dict(line.split("=", 1) for line in result.stdout.decode().splitlines())
    assert set(found) == {"PATH", "HOME", "TMPDIR", "LANG", "TERM", "PWD", "EXTRA"}
    assert found["EXTRA"] == "a=b"
    assert found["HOME"] == found["TMPDIR"] == found["PWD"]
    assert found["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def test_stdin_is_fed_and_ends(sandbox: Sandbox) -> None:
    assert (await sandbox.run(shell("wc -c", stdin=b"x" * 300_000), PERMIT)).stdout.split() == [b"300000"]
    assert (await sandbox.run(shell("wc -c"), PERMIT)).stdout.split() == [b"0"]
    assert (await sandbox.run(shell("exit 4", stdin=b"x" * 300_000), PERMIT)).exit_code == 4


async def test_files_are_put_into_the_scratch_directory(sandbox: Sandbox, tmp_path: Path) -> None:
    request = shell("cat a d/b; echo more >> a; cat a", files={"a": b"one ", "d/b": b"two "})
    assert (await sandbox.run(request, PERMIT)).stdout == b"one two one more\n"
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("name", ["/a", "../a", "d/../../a", "", "a\0b"])
async def test_a_file_name_that_leaves_the_scratch_directory_is_refused(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(SandboxError):
        await sandbox.run(shell("true", files={name: b""}), PERMIT)


async def test_a_declared_working_directory_is_used(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "file").write_text("here")
    permit = permit_for(Effects(reads=(str(folder),)))
    result = await sandbox.run(shell("pwd; cat file; echo x > new", cwd=str(folder)), permit)
    assert result.stdout.decode() == f"{folder}\nhere"
    assert result.exit_code != 0
    assert not (folder / "new").exists()


async def test_a_declared_write_works(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    permit = permit_for(Effects(writes=(f"{folder}/new",)))
    result = await sandbox.run(shell(f"echo x > {folder}/new"), permit)
    assert result.stderr == b""
    assert (folder / "new").read_text() == "x\n"
    permit = permit_for(Effects(deletes=(f"{folder}/new",)))
    assert (await sandbox.run(shell(f"rm {folder}/new"), permit)).exit_code == 0
    assert not (folder / "new").exists()


async def test_devices_and_standard_streams_can_be_declared_as_written(sandbox: Sandbox) -> None:
    permit = permit_for(Effects(writes=("/dev/null", "/proc/1/fd/pipe:[1]")))
    result = await sandbox.run(shell("echo x > /dev/null; cat /dev/null; echo y > /dev/stdout"), permit)
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"y\n", b"")


async def test_it_works_from_a_scratch_root_that_is_itself_protected(sandbox: Sandbox, tmp_path: Path) -> None:
    permit = permit_for(Effects(), protected=(str(tmp_path),))
    result = await sandbox.run(shell("echo x > $HOME/f; cat f; ls .. | grep -v akili-sandbox"), permit)
    assert result.stdout == b"x\n"


async def test_tmp_can_be_used_and_is_empty_again_for_the_next_command(sandbox: Sandbox) -> None:
    line = "ls -A /tmp | grep -c file; echo x > /tmp/file && cat /tmp/file && mktemp -p /tmp > /dev/null"
    for _ in range(2):
        result = await sandbox.run(shell(line), PERMIT)
        assert (result.exit_code, result.stdout, result.stderr) == (0, b"0\nx\n", b"")
    assert not Path("/tmp/file").exists()


async def test_the_smallest_memory_limit_still_runs_a_shell(tmp_path: Path) -> None:
    small = ProcessSandbox(SandboxSettings(max_memory_mb=16, max_processes=8), tmp_path, SystemClock())
    assert (await small.run(shell("echo fits | cat"), PERMIT)).stdout == b"fits\n"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def page() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def test_a_permitted_host_is_reached_and_another_is_not(sandbox: Sandbox, page: int) -> None:
    code = f"""
import urllib.request, socket
print(urllib.request.urlopen("http://127.0.0.1:{page}/there").read().decode())
for port in (1, {page}):
    print(socket.socket().connect_ex(("127.0.0.1", port)))
try:
    urllib.request.urlopen("http://127.0.0.1:1/")
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
    permit = permit_for(Effects(hosts=(f"127.0.0.1:{page}",)))
    result = await sandbox.run(ExecRequest(("/usr/bin/python3", "-I", "-S", "-c", code), 10), permit)
    lines = result.stdout.decode().split("\n")
    assert lines[0] == f"127.0.0.1:{page} /there", result
    assert lines[1:3] == [str(errno.EACCES)] * 2
    assert lines[3] == "403 akili: 127.0.0.1:1 is not among the hosts this command may reach"
    assert result.stderr == b"akili: refused: 127.0.0.1:1 is not among the hosts this command may reach\n"
    assert "network" in result.layers


async def test_a_timeout_ends_the_command(sandbox: Sandbox) -> None:
    result = await sandbox.run(ExecRequest(("sh", "-c", "echo first; sleep 30"), 0.3), PERMIT)
    assert result.timed_out
    assert result.exit_code == -9
    assert result.stdout == b"first\n"
    assert result.duration_s < 3


async def test_a_signal_shows_as_a_negative_exit_code(sandbox: Sandbox) -> None:
    assert (await sandbox.run(shell("kill -TERM $$"), PERMIT)).exit_code == -15


@pytest.mark.parametrize(("name", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
async def test_a_program_that_cannot_start_is_a_result(sandbox: Sandbox, name: str, code: int) -> None:
    result = await sandbox.run(ExecRequest((name,), 5), PERMIT)
    assert result.exit_code == code
    assert name.encode() in result.stderr


async def test_long_output_keeps_head_and_tail(sandbox: Sandbox) -> None:
    result = await sandbox.run(shell("seq 100000"), PERMIT)
    assert result.truncated
    assert result.stdout.startswith(b"1\n2\n")
    assert result.stdout.endswith(b"99999\n100000\n")
    assert len(result.stdout) <= 4096


@pytest.mark.parametrize(
    "request_",
    [
        ExecRequest((), 5),
        ExecRequest(("",), 5),
        ExecRequest(("a\0b",), 5),
        ExecRequest(("true",), 0),
        ExecRequest(("true",), float("nan")),
        ExecRequest(("true",), float("inf")),
        ExecRequest(("true",), 5, env={"a=b": "c"}),
        ExecRequest(("true",), 5, env={"a": "\0"}),
        ExecRequest(("true",), 5, cwd="/no/such/place"),
        ExecRequest(("true", "x" * (17 << 20)), 5),
        ExecRequest(("true", "\ud800"), 5),
    ],
    ids=lambda request: repr(request)[12:40],
)
async def test_a_request_that_makes_no_sense_is_refused(sandbox: Sandbox, request_: ExecRequest) -> None:
    with pytest.raises(SandboxError):
        await sandbox.run(request_, PERMIT)


async def test_commands_run_side_by_side_without_meeting(sandbox: Sandbox) -> None:
    requests = [shell(f"echo {number} > f; sleep 0.05; cat f; ls") for number in range(6)]
    results = await asyncio.gather(*(sandbox.run(request, PERMIT) for request in requests))
    assert [result.stdout for result in results] == [b"%d\nf\n" % number for number in range(6)]


async def test_closing_ends_what_runs(sandbox: Sandbox) -> None:
    task = asyncio.ensure_future(sandbox.run(ExecRequest(("sleep", "30"), 30), PERMIT))
    await asyncio.sleep(0.1)
    await sandbox.close()
    assert task.cancelled()


async def test_no_descriptor_is_left_open(sandbox: Sandbox) -> None:
    await sandbox.run(shell("true", stdin=b"x"), PERMIT)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await sandbox.run(shell("true", stdin=b"x"), PERMIT)
    assert len(os.listdir("/proc/self/fd")) == before
