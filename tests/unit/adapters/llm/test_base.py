from __future__ import annotations

import pytest

from akili_cli.adapters.llm.base import (
    ContextOverflowError,
    Fault,
    Peer,
    ProviderError,
    estimate_text_tokens,
    estimate_tokens,
    status_error,
)
from akili_cli.domain.messages import Message, ModelRequest, TextBlock, ToolResultBlock, ToolSpec, ToolUseBlock

PEER = Peer("openai", "gpt-4o", "OPENAI_API_KEY", "sk-secret")


def test_error_names_provider_model_status_and_reason() -> None:
    error = status_error(PEER, 503, "try later")
    assert str(error) == "openai (gpt-4o): HTTP 503: try later"
    assert (error.status, error.fault, error.retryable) == (503, Fault.UNAVAILABLE, True)


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (400, "", Fault.REQUEST),
        (401, "", Fault.AUTH),
        (402, "", Fault.QUOTA),
        (403, "", Fault.AUTH),
        (404, "", Fault.SETUP),
        (302, "", Fault.SETUP),
        (408, "", Fault.UNAVAILABLE),
        (413, "", Fault.REQUEST),
        (422, "", Fault.REQUEST),
        (429, "", Fault.RATE_LIMIT),
        (429, "insufficient_quota", Fault.QUOTA),
        (500, "", Fault.UNAVAILABLE),
        (529, "", Fault.UNAVAILABLE),
    ],
)
def test_status_decides_the_fault(status: int, code: str, fault: Fault) -> None:
    assert status_error(PEER, status, "no", code=code).fault is fault


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size",
        "Input token count (2000000) exceeds the maximum number of tokens allowed",
        "Please reduce the length of the messages",
    ],
)
def test_context_overflow_is_recognised_by_its_words(message: str) -> None:
    assert isinstance(status_error(PEER, 400, message), ContextOverflowError)


def test_other_bad_request_is_no_overflow() -> None:
    assert not isinstance(status_error(PEER, 400, "unknown parameter: stop_words"), ContextOverflowError)


def test_key_is_masked_before_the_message_is_cut() -> None:
    shown = PEER.shown("x" * 296 + "sk-secret")
    assert shown == "x" * 296 + "***"
    assert "sk-" not in shown


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\u202e", "\u200b", "\ud800", "\x00", "\x9b"])
def test_invisible_characters_are_escaped(hostile: str) -> None:
    assert PEER.shown(f"a{hostile}b").isprintable()


def test_message_is_one_line_of_at_most_300_characters() -> None:
    shown = PEER.shown("line\n" * 10_000)
    assert "\n" not in shown
    assert len(shown) <= 300


def test_auth_hint_names_the_variable() -> None:
    assert "OPENAI_API_KEY" in status_error(PEER, 401, "no").hint


def test_repr_of_a_peer_hides_the_key() -> None:
    assert "sk-secret" not in repr(PEER)


def test_hint_of_a_timeout_names_the_setting() -> None:
    assert "providers.openai.timeout_seconds" in ProviderError(PEER, Fault.TIMEOUT, "slow").hint


def test_estimate_counts_text_tools_and_messages() -> None:
    request = ModelRequest(
        "s" * 40,
        (
            Message("user", (TextBlock("u" * 40, untrusted="stdin"),)),
            Message("assistant", (ToolUseBlock("1", "look", {"path": "/" * 30}),)),
            Message("user", (ToolResultBlock("1", "r" * 400),)),
        ),
        (ToolSpec("look", "d" * 40, {"type": "object"}),),
    )
    assert 140 <= estimate_tokens(request) <= 180


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_text_estimate_rounds_up(text: str, tokens: int) -> None:
    assert estimate_text_tokens(text) == tokens
