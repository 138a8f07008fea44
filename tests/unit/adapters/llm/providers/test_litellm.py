from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from akili_cli.adapters.llm.base import Peer
from akili_cli.adapters.llm.providers.litellm import LiteLLM, load_litellm, preload, route
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.domain.messages import Usage
from tests.fakes.chat import QuickClock, ask, listen
from tests.fakes.model_server import ModelServer, Reply

pytestmark = [
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Item .* using the `ReadOnly` qualifier:UserWarning"),
]
USAGE = Usage(1_000_000, 1_000_000)


def run_python(code: str, cwd: Path) -> dict[str, object]:
    """Run code in a fresh interpreter; its last line of output is JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(code)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stderr == ""
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_loading_touches_no_network_reads_no_dotenv_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEAKED=1\n")
    seen = run_python(
        """
        import gc, json, os, sys, threading
        reached = []
        def watch(event, args):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
                reached.append(event)
        sys.addaudithook(watch)
        from akili_cli.adapters.llm.providers.litellm import LiteLLM, load_litellm, preload
        early = [name for name in ("litellm", "openai", "httpx") if name in sys.modules]
        preload().join()
        litellm = load_litellm()
        print(json.dumps({
            "reached": reached, "early": early, "leaked": "LEAKED" in os.environ, "gc": gc.isenabled(),
            "aiohttp": not litellm.disable_aiohttp_transport, "threads": threading.active_count(),
        }))
        """,
        tmp_path,
    )
    assert seen == {"reached": [], "early": [], "leaked": False, "gc": True, "aiohttp": False, "threads": 1}


def test_missing_litellm_is_a_model_error_and_preload_keeps_quiet(tmp_path: Path) -> None:
    seen = run_python(
        """
        import json, sys
        sys.modules["litellm"] = None
        from akili_cli.adapters.llm.providers.litellm import load_litellm, preload
        from akili_cli.domain.errors import ModelError
        preload().join()
        try:
            load_litellm()
        except ModelError as error:
            print(json.dumps({"said": str(error), "hint": bool(error.hint)}))
        """,
        tmp_path,
    )
    assert str(seen["said"]).startswith("litellm cannot be loaded")
    assert seen["hint"]


def test_many_threads_load_one_module() -> None:
    threads = [preload() for _ in range(4)]
    for thread in threads:
        thread.join()
    assert load_litellm() is sys.modules["litellm"]


@pytest.mark.parametrize(
    ("provider", "model", "full"),
    [
        ("anthropic", "claude-x", "anthropic/claude-x"),
        ("gemini", "gemini/gemini-x", "gemini/gemini-x"),
        ("cloud", "bedrock/some.model", "bedrock/some.model"),
        ("mine", "gpt-4o", "gpt-4o"),
    ],
)
def test_route_is_the_name_litellm_knows(provider: str, model: str, full: str) -> None:
    assert route(Peer(provider, model)) == full


@pytest.mark.parametrize(
    ("provider", "model", "prices", "cost"),
    [
        pytest.param("anthropic", "claude-sonnet-4-5-20250929", None, 18.0, id="listed"),
        pytest.param(
            "anthropic",
            "claude-sonnet-4-5-20250929",
            PriceSettings(input_usd_per_million=1, output_usd_per_million=1),
            2.0,
            id="operator beats list",
        ),
        pytest.param("anthropic", "claude-9000", None, None, id="not listed"),
        pytest.param("ollama", "llama3.1", None, 0.0, id="free"),
    ],
)
def test_price_comes_from_the_operator_or_the_list(
    provider: str, model: str, prices: PriceSettings | None, cost: float | None
) -> None:
    found = LiteLLM(Peer(provider, model), None, clock=QuickClock(), prices=prices).price(USAGE)
    assert found == (pytest.approx(cost) if cost is not None else None)


async def test_server_without_a_key_does_not_get_one_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-somebody-else")
    with ModelServer([Reply(text="hi")]) as server:
        model = LiteLLM(Peer("openai", "gpt-4o"), server.url + "/v1", clock=QuickClock())
        await listen(model, ask())
        await model.close()
    assert "sk-for-somebody-else" not in str(server.headers)


async def test_model_can_be_used_again_after_close() -> None:
    with ModelServer([Reply(text="hi", repeat=True)]) as server:
        model = LiteLLM(Peer("openai", "gpt-4o", None, "sk-1"), server.url + "/v1", clock=QuickClock())
        for _ in range(2):
            _, done = await listen(model, ask())
            assert done.message.text == "hi"
            await model.close()


async def test_model_nobody_knows_is_a_model_error() -> None:
    from akili_cli.domain.errors import ModelError

    model = LiteLLM(Peer("mine", "no-such-model"), None, clock=QuickClock())
    with pytest.raises(ModelError):
        await listen(model, ask())
