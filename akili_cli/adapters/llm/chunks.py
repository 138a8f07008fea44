"""Puts an answer together from OpenAI chat chunks, believing nothing the server says about their shape."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError, estimate_text_tokens, status_error
from akili_cli.adapters.llm.wire import valid_text
from akili_cli.domain.messages import Block, Message, StopReason, TextBlock, ToolUseBlock, Usage

MAX_ANSWER_CHARS = 8 * 1024 * 1024
MAX_CALLS = 128
_MAX_CHECKS = 32  # of one call, so that a server that repeats names cannot make the reading quadratic
_MAX_TOKENS = 1_000_000_000
_LEGAL_ID = re.compile(r"[!-~]{1,8192}")
_LENGTH_REASONS = frozenset({"length", "max_tokens"})


@dataclass(slots=True)
class _Call:
    """A tool call that is still arriving."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    checks: int = 0

    @property
    def raw(self) -> str:
        return "".join(self.pieces)

    def is_followed_by(self, call_id: str, name: str, piece: str) -> bool:
        """Tell whether a fragment begins another call in this one's place: a new id, or a name after the end."""
        if call_id and self.id and call_id != self.id:
            return True
        if not name or not (piece.strip() or name != self.name) or self.checks >= _MAX_CHECKS:
            return False
        self.checks += 1
        return bool(self.raw.strip()) and parse_arguments(self.raw) is not None


class Assembly:
    """One answer in the making: feed it chunks, then ask for the message, the usage and the stop reason."""

    def __init__(self, peer: Peer, taken_ids: set[str]) -> None:
        """Start empty; ``taken_ids`` are the call ids of the conversation, none of which is used again."""
        self._peer = peer
        self._taken = set(taken_ids)
        self._texts: list[str] = []
        self._half = ""
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._size = 0

    @property
    def started(self) -> bool:
        """Whether any part of an answer came, so that a new try would ask and pay twice."""
        return bool(self._texts or self._calls or self._half)

    def feed(self, chunk: object) -> str:
        """Take one decoded chunk and give the text it adds; raises ``ProviderError`` for nonsense."""
        if not isinstance(chunk, Mapping):
            self._unreadable("a chunk of the answer is not an object")
        if chunk.get("error"):
            raise chunk_error(self._peer, chunk["error"])
        self._usage = _usage(chunk.get("usage")) or self._usage
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return ""
        choice = choices[0]
        if not isinstance(choice, Mapping):
            self._unreadable("a choice of the answer is not an object")
        part = choice.get("delta") or choice.get("message") or {}
        if not isinstance(part, Mapping):
            self._unreadable("a delta of the answer is not an object")
        if isinstance(reason := choice.get("finish_reason"), str):
            self._finish = reason.lower()
        fragments = part.get("tool_calls")
        for fragment in fragments if isinstance(fragments, list) else ():
            self._take_call(fragment)
        return self._take_text(_text(part.get("content")) + _text(part.get("refusal")))

    def _take_text(self, text: str) -> str:
        text = self._half + text
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        text = valid_text(text.removesuffix(self._half))
        if text:
            self._grow(len(text))
            self._texts.append(text)
        return text

    def _take_call(self, fragment: object) -> None:
        if not isinstance(fragment, Mapping):
            self._unreadable("a tool call of the answer is not an object")
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        call_id, name = _word(fragment.get("id")), _word(function.get("name"))
        piece = _arguments_text(function.get("arguments"))
        call = self._call_for(fragment.get("index"), call_id, name, piece)
        call.id = call.id or call_id
        call.name = call.name or name
        self._grow(len(piece) + len(call_id) + len(name))
        call.pieces.append(piece)

    def _call_for(self, index: object, call_id: str, name: str, piece: str) -> _Call:
        """Find the call a fragment continues, or begin one: servers repeat, omit and reuse indexes and ids."""
        slot = index if type(index) is int else None
        call = self._known_call(slot, call_id)
        if call is not None and not call.is_followed_by(call_id, name, piece):
            return call
        if len(self._calls) >= MAX_CALLS:
            self._unreadable(f"more than {MAX_CALLS} tool calls in one answer")
        call = _Call()
        self._calls.append(call)
        if slot is not None:
            self._by_index[slot] = call
        return call

    def _known_call(self, slot: int | None, call_id: str) -> _Call | None:
        if slot is not None:
            return self._by_index.get(slot)
        same = [call for call in self._calls if call_id and call.id == call_id] or self._calls
        return same[-1] if same else None

    def _grow(self, chars: int) -> None:
        self._size += chars
        if self._size > MAX_ANSWER_CHARS:
            self._unreadable(f"the answer is larger than {MAX_ANSWER_CHARS // 1024} KiB")

    def close(self, *, ended: bool) -> str:
        """Check that the answer is whole and give the last text; ``ended``: the server said it was done."""
        last = "\ufffd" if self._half else ""
        if last:
            self._half = ""
            self._texts.append(last)
        if self._finish is None and not ended:
            self._unreadable("the answer broke off" if self.started else "the answer was empty")
        if self._finish == "error":
            raise ProviderError(self._peer, Fault.UNAVAILABLE, "the provider broke the answer off")
        if self._finish == "content_filter" and not self.started:
            raise ProviderError(self._peer, Fault.REQUEST, "the provider's content filter withheld the answer")
        return last

    @property
    def message(self) -> Message:
        """The answer: its text, then its tool calls; without blocks when the model said nothing."""
        text = "".join(self._texts)
        blocks: list[Block] = [TextBlock(text)] if text else []
        taken = set(self._taken)
        for call in self._calls:
            raw = valid_text(call.raw)
            is_cut = self._finish in _LENGTH_REASONS and not raw.strip()
            arguments = None if is_cut else parse_arguments(raw)
            call_id = call.id if _LEGAL_ID.fullmatch(call.id) and call.id not in taken else _new_id(taken)
            taken.add(call_id)
            blocks.append(ToolUseBlock(call_id, valid_text(call.name), arguments, raw if arguments is None else ""))
        return Message("assistant", tuple(blocks))

    @property
    def stop_reason(self) -> StopReason:
        """``tool_use`` whenever a tool was asked for, whatever the server calls it."""
        if self._calls:
            return "tool_use"
        return "max_tokens" if self._finish in _LENGTH_REASONS else "end_turn"

    def usage(self, estimated_input: int) -> Usage:
        """Give the usage the server reported; else an estimate, so that a silent server is not a free one."""
        if self._usage is not None:
            return self._usage
        said = "".join(self._texts) + "".join(call.name + call.raw for call in self._calls)
        return Usage(estimated_input, estimate_text_tokens(said))

    def _unreadable(self, message: str) -> NoReturn:
        raise ProviderError(self._peer, Fault.UNREADABLE, message)


def chunk_error(peer: Peer, error: object) -> ProviderError:
    """Turn the ``error`` of a body or a chunk into an error, with its status where it names one."""
    if not isinstance(error, Mapping):
        return ProviderError(peer, Fault.UNAVAILABLE, str(error))
    code = error.get("code")
    message = str(error.get("message") or error.get("type") or "the provider reported an error")
    if isinstance(code, int) and 400 <= code < 600:  # noqa: PLR2004 - the range of HTTP errors
        return status_error(peer, code, message)
    if code == "context_length_exceeded":
        return status_error(peer, 400, message, code=code)
    return ProviderError(peer, Fault.UNAVAILABLE, message)


def parse_arguments(raw: str) -> dict[str, object] | None:
    """Read a call's arguments; nothing at all means no arguments, anything but one clean object means None.

    A name given twice, a number JSON does not know and text that is not Unicode are refused: two readers could
    see two different calls in them.
    """
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _new_id(taken: set[str]) -> str:
    while (new := f"call_{secrets.token_hex(12)}") in taken:
        pass
    return new


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text(content: object) -> str:
    """Give the text of a content: a string, or the text parts of a list."""
    if isinstance(content, list):
        return "".join(_word(part.get("text")) for part in content if isinstance(part, Mapping))
    return _word(content)


def _arguments_text(value: object) -> str:
    """Give arguments as text; some servers send the object itself instead of its JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


def _usage(value: object) -> Usage | None:
    """Read a usage; counts that are missing, negative or absurd make it no usage at all."""
    if not isinstance(value, Mapping):
        return None
    counts = (value.get("prompt_tokens"), value.get("completion_tokens"))
    if all(type(count) is int and 0 <= count <= _MAX_TOKENS for count in counts):
        return Usage(*(int(str(count)) for count in counts))
    return None
