"""The docker sandbox against an executable that runs the program for real, records every word and plays failures."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.docker_engine import owner_labels
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.docker_command import NAME
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.docker_engine import IMAGE, FakeEngine
from tests.fakes.permits import permit_for

NOTHING = permit_for(Effects())


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    state = tmp_path / "engine"
    state.mkdir()
    return FakeEngine(state)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "file").write_text("here")
    return folder


def shell(line: str, timeout_s: float = 10.0, **more: object) -> ExecRequest:
    return ExecRequest(("sh", "-c", line), timeout_s, **more)  # type: ignore[arg-type]


async def test_a_command_runs_and_nothing_is_left(engine: FakeEngine) -> None:
    result = await engine.sandbox().run(shell("echo out; echo err >&2; exit 3"), NOTHING)
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
    assert result.layers == LAYERS
    assert engine.containers() == []
    assert list((engine.state / "scratch").iterdir()) == []


async def test_every_argument_of_a_container(engine: FakeEngine) -> None:
    settings = {"docker": {"image": IMAGE, "cpu_cores": 1.5, "pids_limit": 9}, "max_memory_mb": 100, "max_file_mb": 2}
    await engine.sandbox(**settings).run(ExecRequest(("ls", "--rm", "-v"), 5), NOTHING)
    argv = engine.arguments()
    name = argv[3].removeprefix("--name=")
    assert NAME.fullmatch(name)
    (files,) = (arg for arg in argv if arg.startswith("--mount="))
    assert argv == [
        *("run", "--rm", "--interactive", f"--name={name}"),
        *(f"--label={key}={value}" for key, value in owner_labels().items()),
        *("--init", "--pull=never", "--log-driver=none", "--sig-proxy=false", "--no-healthcheck", "--entrypoint="),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=65534:65534", "--read-only", "--ipc=private"),
        *("--network=none", "--pids-limit=9", "--memory=100m", "--memory-swap=100m", "--cpus=1.5"),
        *("--ulimit=cpu=60", "--ulimit=fsize=2097152", "--ulimit=nofile=1024", "--ulimit=core=0"),
        "--tmpfs=/tmp:rw,nosuid,nodev,size=64m,noexec",
        "--tmpfs=/home/sandbox:rw,nosuid,nodev,size=64m,exec,mode=0700,uid=65534,gid=65534",
        files,
        "--workdir=/home/sandbox",
        "--env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        *("--env=HOME=/home/sandbox", "--env=TMPDIR=/tmp", "--env=LANG=C.UTF-8", "--env=TERM=dumb"),
        *("--", IMAGE, "timeout", "-s", "KILL", "7", "ls", "--rm", "-v"),
    ]
    scratch = f"{engine.state}/scratch/akili-sandbox-"
    assert files.startswith(f"--mount=type=bind,src={scratch}")
    assert files.endswith("/files,dst=/scratch,readonly")


async def test_names_and_secrets_of_the_operator_do_not_reach_docker(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    result = await engine.sandbox({**engine.env, "TOKEN": "leak", "HOME": "/root"}).run(shell("env"), NOTHING)
    assert b"leak" not in result.stdout
    for verb in ("run", "version", "image", "info", "ps", "rm"):
        for call in engine.calls(verb):
            env = call["env"]
            assert isinstance(env, dict)
            assert set(env) - {"LC_CTYPE"} == {"PATH", "HOME", "DOCKER_HOST", "DOCKER_CLI_HINTS"}
            assert env["HOME"] == "/nonexistent"


async def test_stdin_files_and_environment_arrive(engine: FakeEngine) -> None:
    request = shell(
        'cat; cat a d/b; echo "$EXTRA"', stdin=b"fed ", files={"a": b"one ", "d/b": b"two "}, env={"EXTRA": "x=y"}
    )
    assert (await engine.sandbox().run(request, NOTHING)).stdout == b"fed one two x=y\n"
    assert engine.calls("run")[-1]["stdin"] == "fed "
    assert (await engine.sandbox().run(shell("exit 4", stdin=b"x" * 300_000), NOTHING)).exit_code == 4


@pytest.mark.parametrize("name", ["/a", "../a", "d/../../a", "", ".", "a\0b"])
async def test_a_file_name_that_leaves_its_directory_is_refused(engine: FakeEngine, name: str) -> None:
    with pytest.raises(SandboxError):
        await engine.sandbox().run(shell("true", files={name: b""}), NOTHING)
    assert engine.calls("run") == []
    assert list((engine.state / "scratch").iterdir()) == []


async def test_exactly_the_permits_paths_are_mounted(engine: FakeEngine, work: Path) -> None:
    (work / "inner").mkdir()
    permit = permit_for(Effects(reads=(str(work),), writes=(f"{work}/inner",)))
    result = await engine.sandbox().run(shell("cat file; pwd", cwd=str(work)), permit)
    assert result.stdout.decode() == f"here{work}\n"
    argv = engine.arguments()
    mounts = [arg for arg in argv if arg.startswith("--mount=")]
    assert mounts[1:] == [
        f"--mount=type=bind,src={work},dst={work},readonly",
        f"--mount=type=bind,src={work}/inner,dst={work}/inner",
    ]
    assert f"--workdir={work}" in argv


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a:b", "a b", "a=b,readonly", "a,src=x", "é"])
async def test_a_path_cannot_become_an_option(engine: FakeEngine, work: Path, name: str) -> None:
    path = work / name
    path.mkdir()
    (path / "f").write_text("fine")
    result = await engine.sandbox().run(shell("cat f", cwd=str(path)), permit_for(Effects(reads=(str(path),))))
    assert result.stdout == b"fine"


async def test_a_protected_path_below_is_covered(engine: FakeEngine, work: Path) -> None:
    (work / "keys").mkdir()
    (work / "token").write_text("secret")
    permit = permit_for(Effects(reads=(str(work),)), protected=(f"{work}/keys", f"{work}/token", f"{work}/none"))
    await engine.sandbox().run(shell("true"), permit)
    assert [arg for arg in engine.arguments() if arg.startswith("--mount=")][2:] == [
        f"--mount=type=tmpfs,dst={work}/keys,tmpfs-size=4096,tmpfs-mode=0000",
        f"--mount=type=bind,src=/dev/null,dst={work}/token,readonly",
    ]


async def test_hosts_open_the_bridge_and_the_network_layer_is_not_claimed(engine: FakeEngine) -> None:
    permit = permit_for(Effects(hosts=("example.org:443",)))
    result = await engine.sandbox().run(shell("true"), permit)
    assert "--network=bridge" in engine.arguments()
    assert "network" not in result.layers
    with pytest.raises(SandboxError, match="'network' is required"):
        await engine.sandbox(require=["network"]).run(shell("true"), permit)


async def test_a_socket_in_a_shown_directory_ends_the_claim(engine: FakeEngine, work: Path) -> None:
    permit = permit_for(Effects(reads=(str(work),)))
    assert "network" in (await engine.sandbox(require=["network"]).run(shell("true"), permit)).layers
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{work}/s")
        assert "network" not in (await engine.sandbox().run(shell("true"), permit)).layers


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        (Effects(hosts=("unix:/var/run/docker.sock",)), "no socket of this machine"),
        (Effects(reads=("/proc/meminfo",)), "shows the container, not this host"),
        (Effects(reads=("/sys/class/net",)), "shows the container, not this host"),
        (Effects(reads=("/",)), "would replace what the image brings"),
        (Effects(reads=("/var/run/docker.sock",)), "sockets of this machine"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_what_a_container_cannot_show_honestly_is_refused(
    engine: FakeEngine, effects: Effects, words: str
) -> None:
    with pytest.raises(SandboxError, match=words):
        await engine.sandbox().run(shell("true"), permit_for(effects))
    assert engine.calls("run") == []


FAILURES = {
    "daemon-down": ({"down": True}, "Cannot connect to the Docker daemon", "start the Docker daemon"),
    "daemon-hangs": ({"hang": ["version"]}, "no answer within 5 s", "start the Docker daemon"),
    "garbage": ({"says": {"version": "\x00<html>"}}, "it answered", "start the Docker daemon"),
    "null": ({"says": {"version": "null"}}, "it answered 'null", "start the Docker daemon"),
    "windows": ({"says": {"version": '{"Os": "windows"}'}}, "runs windows containers", "linux"),
    "no-image": (
        {"no_image": True},
        "No such image",
        f"docker build -t {IMAGE} -f examples/docker/Dockerfile.runtime .",
    ),
    "image-garbage": ({"says": {"image inspect": "what"}}, "cannot be used", "docker build"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_engine_that_cannot_run_anything_is_said_with_a_fix(engine: FakeEngine, failure: str) -> None:
    plan, words, fix = FAILURES[failure]
    engine.plan(**plan)
    sandbox = engine.sandbox()
    layers = sandbox.layers()
    assert tuple(layer.name for layer in layers) == LAYERS
    assert all(not layer.active and words in layer.detail and fix in layer.fix for layer in layers)
    if failure != "daemon-hangs":
        with pytest.raises(SandboxError, match=words.replace("(", r"\(")) as caught:
            await sandbox.run(shell("true"), NOTHING)
        assert fix in caught.value.hint
    assert engine.calls("run") == []


async def test_an_engine_that_comes_back_is_used(engine: FakeEngine) -> None:
    engine.plan(down=True)
    sandbox = engine.sandbox()
    assert not any(layer.active for layer in sandbox.layers())
    engine.plan()
    assert (await sandbox.run(shell("echo back"), NOTHING)).stdout == b"back\n"
    await sandbox.run(shell("true"), NOTHING)
    assert len(engine.calls("info")) == 1


async def test_no_docker_command_and_an_engine_elsewhere_are_said(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nowhere = engine.sandbox({**engine.env, "PATH": str(tmp_path / "empty")})
    assert "no docker command" in nowhere.layers()[0].detail
    elsewhere = engine.sandbox({**engine.env, "DOCKER_HOST": "tcp://10.0.0.1:2375"})
    assert "another machine's files" in elsewhere.layers()[0].detail
    for sandbox in (nowhere, elsewhere):
        with pytest.raises(SandboxError):
            await sandbox.run(shell("true"), NOTHING)


@pytest.mark.parametrize(
    ("info", "names"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=unconfined"]}, ["syscalls"]),
        ({"SecurityOptions": None}, ["syscalls"]),
        ({"MemoryLimit": False}, ["limits", "cgroup"]),
        ({"PidsLimit": "yes"}, ["limits", "cgroup"]),
    ],
    ids=str,
)
async def test_a_limit_the_engine_does_not_enforce_is_not_claimed(
    engine: FakeEngine, info: dict[str, object], names: list[str]
) -> None:
    engine.plan(info=info)
    assert [layer.name for layer in engine.sandbox().layers() if not layer.active] == names
    assert not set(names) & set((await engine.sandbox().run(shell("true"), NOTHING)).layers)
    for name in names:
        with pytest.raises(SandboxError, match=f"'{name}' is required and missing"):
            await engine.sandbox(require=[name]).run(shell("true"), NOTHING)


async def test_a_program_that_runs_out_of_memory_is_told_so(engine: FakeEngine) -> None:
    engine.plan(oom=True)
    result = await engine.sandbox(max_memory_mb=64).run(shell("sleep 30"), NOTHING)
    assert result.exit_code == -9
    assert b"held more than 64 MB of memory" in result.stderr
    assert not result.timed_out


async def test_a_program_killed_otherwise_is_not_called_out_of_memory(engine: FakeEngine) -> None:
    result = await engine.sandbox().run(shell("kill -9 $$"), NOTHING)
    assert (result.exit_code, result.stderr) == (137, b"")


@pytest.mark.parametrize("code", [125, 126, 127])
async def test_the_programs_own_code_is_not_dockers(engine: FakeEngine, code: int) -> None:
    assert (await engine.sandbox().run(shell(f"exit {code}"), NOTHING)).exit_code == code


@pytest.mark.parametrize("code", [125, 126, 127])
async def test_dockers_own_failure_is_not_the_programs(engine: FakeEngine, code: int) -> None:
    engine.plan(start_error=["no space left on device", code])
    with pytest.raises(SandboxError, match=r"nothing was run: .*no space left"):
        await engine.sandbox().run(shell("true"), NOTHING)


@pytest.mark.parametrize(("name", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
async def test_a_program_that_cannot_start_is_a_result(engine: FakeEngine, name: str, code: int) -> None:
    result = await engine.sandbox().run(ExecRequest((name,), 5), NOTHING)
    assert result.exit_code == code
    assert name.encode() in result.stderr


async def test_without_the_engines_record_its_own_code_stays_its_own(engine: FakeEngine) -> None:
    engine.plan(down_for=["events"], start_error=["boom", 125])
    with pytest.raises(SandboxError, match="boom"):
        await engine.sandbox().run(shell("true"), NOTHING)
    engine.plan(down_for=["events"])
    assert (await engine.sandbox().run(shell("exit 3"), NOTHING)).exit_code == 3


@pytest.mark.parametrize("crash", [-9, -11, 2, 1])
async def test_a_client_that_dies_is_not_the_program_and_leaves_nothing(engine: FakeEngine, crash: int) -> None:
    engine.plan(crash=crash)
    with pytest.raises(SandboxError, match="client failed"):
        await engine.sandbox().run(shell("sleep 30"), NOTHING)
    assert engine.containers() == []


async def test_a_timeout_kills_then_removes(engine: FakeEngine) -> None:
    result = await engine.sandbox().run(shell("echo first; sleep 30", 0.5), NOTHING)
    assert (result.timed_out, result.exit_code, result.stdout) == (True, -9, b"first\n")
    assert result.duration_s < 4
    name = engine.arguments()[3].removeprefix("--name=")
    assert [call["argv"] for call in engine.calls("kill")] == [["kill", name]]
    assert [call["argv"] for call in engine.calls("rm")] == [["rm", "--force", name]]
    assert engine.containers() == []


async def test_the_settings_bound_the_time(engine: FakeEngine) -> None:
    assert (await engine.sandbox(max_execution_seconds=1).run(shell("sleep 30", 30), NOTHING)).timed_out


@pytest.mark.parametrize("when", ["hang_before_start", "hang_after_end"])
async def test_a_client_that_hangs_is_ended(engine: FakeEngine, when: str) -> None:
    engine.plan(**{when: True})
    result = await engine.sandbox().run(shell("true", 0.5), NOTHING)
    assert result.timed_out
    assert engine.containers() == []


async def test_a_slow_kill_does_not_stop_the_removal(engine: FakeEngine) -> None:
    engine.plan(hang=["kill"])
    started = time.monotonic()
    result = await engine.sandbox().run(shell("sleep 30", 0.3), NOTHING)
    assert result.timed_out
    assert 5 <= time.monotonic() - started < 10
    assert engine.containers() == []


async def test_a_container_that_cannot_be_removed_is_an_error(engine: FakeEngine) -> None:
    engine.plan(down_for=["kill", "rm"])
    with pytest.raises(SandboxError, match="could not be removed") as caught:
        await engine.sandbox().run(shell("sleep 2", 0.3), NOTHING)
    assert "docker rm -f akili-sbx-" in caught.value.hint


async def test_cancelling_ends_the_container(engine: FakeEngine) -> None:
    sandbox = engine.sandbox()
    task = asyncio.ensure_future(sandbox.run(shell("sleep 30", 30), NOTHING))
    while not engine.containers():
        await asyncio.sleep(0.02)
    await sandbox.close()
    assert task.cancelled()
    assert engine.containers() == []
    assert list((engine.state / "scratch").iterdir()) == []


AKILI = """
import asyncio, sys
from pathlib import Path
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.domain.effects import Effects
from tests.fakes.docker_engine import FakeEngine
from tests.fakes.permits import permit_for
box = FakeEngine(Path(sys.argv[1])).sandbox()
asyncio.run(box.run(ExecRequest(("sh", "-c", "echo started; sleep 60"), 1), permit_for(Effects())))
"""


async def test_a_container_whose_akili_was_killed_ends_by_itself(engine: FakeEngine) -> None:
    root = Path(__file__).parents[2]
    akili = subprocess.Popen([sys.executable, "-c", AKILI, str(engine.state)], cwd=root, start_new_session=True)
    while not engine.containers():
        assert akili.poll() is None
        await asyncio.sleep(0.02)
    (name,) = engine.containers()
    program = json.loads((engine.state / "containers" / name).read_text())["pid"]
    akili.kill()
    akili.wait()
    assert Path(f"/proc/{program}").exists(), "nobody was there to end it"
    async with asyncio.timeout(8):
        while Path(f"/proc/{program}").exists() or engine.containers():  # the client removes it, as the engine does
            await asyncio.sleep(0.05)


async def test_long_output_keeps_head_and_tail(engine: FakeEngine) -> None:
    result = await engine.sandbox(max_output_bytes=4096).run(shell("seq 100000"), NOTHING)
    assert result.truncated
    assert result.stdout.startswith(b"1\n2\n")
    assert result.stdout.endswith(b"99999\n100000\n")
    assert len(result.stdout) <= 4096


async def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(engine: FakeEngine) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    mine = owner_labels()
    namespace, boot, started = mine["akili.owner"].split("-")
    owners = {
        "akili-sbx-" + "a" * 16: {"akili.sandbox": str(dead.pid), "akili.owner": f"{namespace}-{boot}-123"},
        "akili-sbx-" + "b" * 16: mine,
        "akili-sbx-" + "c" * 16: {**mine, "akili.owner": f"{namespace}-{boot}-1"},
        "akili-sbx-" + "d" * 16: {"akili.sandbox": str(dead.pid), "akili.owner": "1-123"},
        "akili-sbx-" + "e" * 16: {**mine, "akili.owner": f"{namespace}-{'0' * 32}-{started}"},
        "database": {"akili.sandbox": str(dead.pid), "akili.owner": f"{namespace}-{boot}-123"},
    }
    (engine.state / "containers").mkdir()
    for name, labels in owners.items():
        sleeper = subprocess.Popen(["true"], start_new_session=True)
        sleeper.wait()
        (engine.state / "containers" / name).write_text(json.dumps({"pid": sleeper.pid, "labels": labels}))
    engine.sandbox().layers()
    assert engine.containers() == ["akili-sbx-" + "b" * 16, "akili-sbx-" + "d" * 16, "database"]


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
        ExecRequest(("true",), 5, env={"": "c"}),
        ExecRequest(("true",), 5, cwd="/no/such/place"),
        ExecRequest(("true",), 5, cwd="/root"),
        ExecRequest(("true", "x" * (17 << 20)), 5),
        ExecRequest(("true", "\ud800"), 5),
    ],
    ids=lambda request: repr(request)[12:40],
)
async def test_a_request_that_makes_no_sense_is_refused(engine: FakeEngine, request_: ExecRequest) -> None:
    with pytest.raises(SandboxError):
        await engine.sandbox().run(request_, NOTHING)
    assert engine.calls("run") == []


async def test_no_descriptor_is_left_open(engine: FakeEngine) -> None:
    sandbox = engine.sandbox()
    await sandbox.run(shell("true", stdin=b"x"), NOTHING)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await sandbox.run(shell("true", stdin=b"x"), NOTHING)
    assert len(os.listdir("/proc/self/fd")) == before


def real_docker() -> str | None:
    return shutil.which("docker", path="/usr/local/bin:/usr/bin:/bin")


@pytest.mark.skipif(real_docker() is None, reason="no docker command is installed")
async def test_the_real_client_understands_every_option(engine: FakeEngine, work: Path) -> None:
    path = work / 'a,"b'
    path.mkdir()
    permit = permit_for(Effects(reads=(str(path),)), protected=(f"{path}/x",))
    await engine.sandbox().run(shell("true", files={"a": b""}), permit)
    done = subprocess.run(
        [str(real_docker()), *engine.arguments()],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_HOST": f"unix://{work}/no.sock"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 125
    assert "Cannot connect to the Docker daemon" in done.stderr, done.stderr


@pytest.mark.live
async def test_a_real_engine_runs_a_command(tmp_path: Path) -> None:
    sandbox = FakeEngine(tmp_path).sandbox({"PATH": "/usr/local/bin:/usr/bin:/bin"})
    problem = next((layer.detail for layer in sandbox.layers() if not layer.active), "")
    if problem:
        pytest.skip(problem)
    result = await sandbox.run(shell("id -u; cat a; touch /x", files={"a": b"given\n"}), NOTHING)
    assert result.stdout == b"65534\ngiven\n"
    assert result.exit_code == 1
    assert (await sandbox.run(shell("sleep 30", 2), NOTHING)).timed_out
