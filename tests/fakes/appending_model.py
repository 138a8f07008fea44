"""An OpenAI-compatible model that does what the goal says in one call: "append NAME" becomes a line in a file NAME."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory: Path

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        last = asked["messages"][-1]
        delta: dict[str, Any]
        if last["role"] == "tool":
            delta, finish = {"content": "done"}, "stop"
        else:
            text = last["content"] if isinstance(last["content"], str) else last["content"][-1]["text"]
            name = text.split()[-1]
            call = {
                "name": "shell_exec",
                "arguments": json.dumps({"command": f"echo {name} >> {self.directory}/{name}"}),
            }
            delta, finish = {"tool_calls": [{"index": 0, "id": "call_0", "function": call}]}, "tool_calls"
        chunks = [
            {"choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}},
        ]
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def appending_model(directory: Path) -> Iterator[str]:
    """Serve until the block ends; gives the base URL."""
    handler = type("Handler", (_Answers,), {"directory": directory})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
