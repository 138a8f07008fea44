from __future__ import annotations

import asyncio
import codecs
import json
import re
from pathlib import Path

from akili_cli.adapters.net.listen import open_listener
from akili_cli.adapters.net.server import HttpServer
from tests.fakes.edge import ANN_KEY, BEN_KEY, SECRET, open_site

CORPUS = Path(__file__).parent / "corpora" / "http_bodies.txt"
CASES = [
    line.split("|", 2) for line in CORPUS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
]
GOOD = "POST /v1/echo HTTP/1.1\\nHost: x\\nAuthorization: Bearer {key}\\nContent-Type: application/json"
SIZE = b"\nContent-Length: %d"


def written(text: str) -> bytes:
    """Give the bytes that a text of the corpus stands for."""
    raw = codecs.decode(text.strip(" "), "unicode_escape").encode("latin-1").replace(b"{key}", ANN_KEY.encode())
    return re.sub(rb"\{rep:(.+?):(\d+)\}", lambda found: found[1] * int(found[2]), raw, flags=re.DOTALL)


def request_of(head: str, body: str) -> bytes:
    content = written(body)
    lines = written(head) if head.strip() else written(GOOD) + SIZE % len(content)
    return lines.replace(b"\n", b"\r\n") + b"\r\n\r\n" + content


async def answered(port: int, request: bytes) -> tuple[str, bytes]:
    """Send a request and end; give the status with the error's code, and the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(size[1])) if size else b""
        said = json.loads(body) if body else None
        code = said.get("code") if isinstance(said, dict) else None
        if code is not None and set(said) - {"fields"} != {"error", "code", "hint", "correlation_id"}:
            code = f"not in the one shape: {said}"
        elif code is not None and said["correlation_id"].encode() not in head:
            code = "without its id"
        return f"{head.split()[1].decode()} {code or ''}".strip(), head + body
    except (asyncio.IncompleteReadError, ConnectionError):
        return "closed", b""
    finally:
        writer.close()


async def test_each_request_of_the_corpus_gets_its_verdict_and_the_server_goes_on(tmp_path: Path) -> None:
    wrong: list[str] = []
    with open_listener("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        async with open_site(tmp_path) as site:
            server = HttpServer(site.edge, listener)
            running = asyncio.create_task(server.run())
            for verdict, head, body in [*CASES, ("200", "", " {}")]:
                site.room.clock.move(60)
                found, answer = await answered(port, request_of(head, body))
                shown = [key for key in (ANN_KEY, BEN_KEY, SECRET) if key.encode() in answer]
                if found != verdict.strip() or shown:
                    wrong.append(f"{found} {shown} for {verdict}|{head[:200]}|{body[:60]}")
            await server.end(grace_s=1.0)
            await running
    assert not wrong, "\n".join(wrong)


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 110
