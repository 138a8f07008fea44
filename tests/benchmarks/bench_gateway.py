"""Prints what HTTP costs: `/v1/query` at 1, 16 and 64 clients with a model that answers at once, many open streams.

Gateway, model and clients are processes of their own on this machine, so they share its processors. ``--quick`` takes
3 s a figure instead of 60 s for 64 clients and 15 s for the others, and 100 streams instead of 1,000.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx

from tests.benchmarks.figures import percentile, show
from tests.fakes.gateway import KEYS, TOLD, api_keys
from tests.integration.akili import Akili

QUICK = "--quick" in sys.argv
STREAMS = 100 if QUICK else 1000
START_S = 30.0


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


@contextlib.contextmanager
def _model(directory: Path, *, drip_s: float = 0.0) -> Iterator[str]:
    script = directory / "script.json"
    text: object = ["a", "b"] if drip_s else "all well"
    script.write_text(json.dumps([{"text": text, "drip_s": drip_s, "repeat": True}]))
    argv = [sys.executable, "-m", "tests.fakes.model_server", "--script", str(script)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _gateway(akili: Akili, model_url: str) -> Iterator[tuple[str, int, float]]:
    """Give its URL, its process and the seconds until it was ready."""
    http = {**TOLD["gateways"]["http"], "max_concurrent_runs": 200}
    akili.configure(model_url=model_url, **{**TOLD, "gateways": {"http": http}})
    began = time.perf_counter()
    process = akili.start("gateway", "--drain", "1", env={"AKILI_API_KEYS": api_keys()}, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    try:
        url = ""
        said = ""
        while not url:
            line = process.stderr.readline().decode()
            said += line
            assert line, f"the gateway did not start: {said}"
            url = next((word.rstrip(";,") for word in line.split() if word.startswith("http://")), "")
        while httpx.get(f"{url}/healthz").status_code != 200:
            assert time.perf_counter() - began < START_S
        yield url, process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


async def _load(url: str, clients: int, seconds: float) -> tuple[list[float], float, list[str]]:
    """Give the seconds each answer took, those of the whole, and what went wrong."""
    took: list[float] = []
    wrong: list[str] = []
    began = time.perf_counter()
    limits = httpx.Limits(max_connections=clients)
    headers = {"Authorization": f"Bearer {KEYS['ann']}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, limits=limits) as client:

        async def one() -> None:
            while time.perf_counter() - began < seconds:
                asked = time.perf_counter()
                answer = await client.post("/v1/query", json={"message": "go"})
                took.append(time.perf_counter() - asked)
                if answer.status_code != 200:
                    wrong.append(f"{answer.status_code} {answer.text[:200]}")

        await asyncio.gather(*(one() for _ in range(clients)))
    return took, time.perf_counter() - began, wrong


@contextlib.asynccontextmanager
async def _stream(client: httpx.AsyncClient, run_id: str) -> AsyncIterator[AsyncIterator[str]]:
    async with client.stream("GET", f"/v1/runs/{run_id}/events") as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def _streams(url: str, pid: int) -> str:
    """Open many streams of one run that is still going on, then read them all to their end."""
    headers = {"Authorization": f"Bearer {KEYS['ann']}"}
    limits = httpx.Limits(max_connections=STREAMS + 10)
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits) as client,
        contextlib.AsyncExitStack() as stack,
    ):
        asking = asyncio.create_task(client.post("/v1/query", json={"message": "go"}))
        runs: list[dict[str, str]] = []
        while not runs:
            await asyncio.sleep(0.05)
            runs = (await client.get("/v1/runs?status=open")).json()
        before, began = _rss_mib(pid), time.perf_counter()
        opened = [await stack.enter_async_context(_stream(client, runs[0]["id"])) for _ in range(STREAMS)]
        opening, after = time.perf_counter() - began, _rss_mib(pid)

        async def whole(lines: AsyncIterator[str]) -> bool:
            return any([line == "event: done" async for line in lines])

        done = await asyncio.gather(*(whole(lines) for lines in opened))
        await asking
    each = (after - before) * 1024 / STREAMS
    return f"{sum(done)} of {STREAMS} to the end, opened in {opening:.1f} s, {each:.0f} KiB each"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory() as place:
        akili = Akili(Path(place))
        with _model(Path(place)) as model_url, _gateway(akili, model_url) as (url, pid, ready):
            show("start until ready", f"{ready * 1000:.0f} ms")
            show("memory, idle", f"{_rss_mib(pid):.0f} MiB")
            asyncio.run(_load(url, 4, 1.0))
            for clients in (1, 16, 64):
                seconds = 3.0 if QUICK else 60.0 if clients == 64 else 15.0
                took, whole, wrong = asyncio.run(_load(url, clients, seconds))
                ms = [percentile(took, share) * 1000 for share in (0.5, 0.99)]
                figure = f"{len(took) / whole:.0f}/s, p50 {ms[0]:.1f} ms, p99 {ms[1]:.1f} ms, {len(wrong)} wrong"
                show(f"/v1/query, {clients} client(s), {seconds:.0f} s", f"{figure}, {_rss_mib(pid):.0f} MiB")
                for text in sorted(set(wrong))[:3]:
                    show("  wrong", text)
    with tempfile.TemporaryDirectory() as place:
        akili = Akili(Path(place))
        slow = 2.0 if QUICK else 5.0  # a piece of the answer
        with _model(Path(place), drip_s=slow) as model_url, _gateway(akili, model_url) as (url, pid, _):
            show("open event streams of one run", asyncio.run(_streams(url, pid)))


if __name__ == "__main__":
    main()
