from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.fakes.model_server import ModelServer, Reply, shape_problems

ROOT = Path(__file__).parents[3]
HELLO = {"role": "user", "content": "hello"}


def post(url: str, body: object) -> dict[str, Any]:
    request = Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=5) as answer:
        return dict(json.load(answer))


def call(call_id: str = "1", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": "look", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def result(call_id: str = "1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "x"}


def test_script_is_played_and_requests_are_kept() -> None:
    with ModelServer([Reply(text=["a", "b"])], models=["m1"]) as server:
        answer = post(server.url, {"model": "m", "messages": [HELLO]})
        with urlopen(f"{server.url}/v1/models", timeout=5) as models:
            assert [model["id"] for model in json.load(models)["data"]] == ["m1"]
    assert answer["choices"][0]["message"]["content"] == "ab"
    assert server.requests[0]["messages"] == [HELLO]


def test_malformed_request_is_refused_and_noted() -> None:
    with ModelServer([Reply(text="a")]) as server, pytest.raises(HTTPError):
        post(server.url, {"model": "m", "messages": [result()]})
    assert server.problems


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([], id="nothing"),
        pytest.param([{"role": "developer", "content": "x"}], id="role"),
        pytest.param([HELLO, {"role": "system", "content": "x"}], id="system later"),
        pytest.param([{"role": "user", "content": ""}], id="empty user"),
        pytest.param([HELLO, {"role": "assistant", "content": ""}], id="empty assistant"),
        pytest.param([HELLO, call()], id="unanswered"),
        pytest.param([HELLO, call(), HELLO, result()], id="answered late"),
        pytest.param([HELLO, call(), result("2")], id="answers another"),
        pytest.param([HELLO, call(), result(), result()], id="answered twice"),
        pytest.param([HELLO, call(arguments="{"), result()], id="arguments"),
        pytest.param([HELLO, call(), result(), call(), result()], id="id used again"),
    ],
)
def test_what_a_strict_provider_refuses_is_refused(messages: list[dict[str, Any]]) -> None:
    assert shape_problems({"model": "m", "messages": messages})


def test_sound_conversation_has_no_problems() -> None:
    messages = [{"role": "system", "content": "s"}, HELLO, call(), result(), call("2"), result("2"), HELLO]
    assert shape_problems({"model": "m", "messages": messages}) == []


def test_server_runs_as_a_process_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"text": "hi", "tool_calls": [{"name": "look"}], "repeat": True}]))
    command = [sys.executable, "-m", "tests.fakes.model_server", "--script", str(script)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        for _ in range(2):
            answer = post(url, {"model": "m", "messages": [HELLO]})
            assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
