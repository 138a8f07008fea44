"""The one point where words leave for a model or a watcher: no registered secret passes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.events import Emit, Event
from akili_cli.domain.messages import Block, Message, TextBlock, ToolSpec, ToolUseBlock


@dataclass(slots=True)
class ModelEgress:
    """Cleans what a model is sent; remembers what it has cleaned, for each call repeats the whole conversation."""

    redactor: Redactor
    _clean: dict[int, tuple[Message, Message]] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _version: int = -1

    def messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Give messages without secrets; a value registered later is taken out of earlier ones too."""
        self._forget_if_changed()
        out = []
        for message in messages:
            known = self._clean.get(id(message))
            if known is None or known[0] is not message:
                known = self._clean[id(message)] = (message, without_secrets(message, self.redactor))
            out.append(known[1])
        return tuple(out)

    def text(self, text: str) -> str:
        """Give instructions without secrets."""
        self._forget_if_changed()
        if text not in self._texts:
            self._texts[text] = self.redactor.text(text)
        return self._texts[text]

    def tools(self, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Give tools whose descriptions hold no secrets."""
        return tuple(replace(tool, description=self.text(tool.description)) for tool in tools)

    def _forget_if_changed(self) -> None:
        if self._version != self.redactor.version:
            self._version = self.redactor.version
            self._clean.clear()
            self._texts.clear()


def without_secrets(message: Message, redactor: Redactor) -> Message:
    """Give a message whose texts, labels and arguments hold no secret."""
    blocks: list[Block] = []
    for block in message.blocks:
        if isinstance(block, ToolUseBlock):
            arguments = None if block.arguments is None else redactor.value(dict(block.arguments))
            kept = arguments if isinstance(arguments, dict) else None
            blocks.append(replace(block, arguments=kept, raw=redactor.text(block.raw)))
        elif isinstance(block, TextBlock):
            label = None if block.untrusted is None else redactor.text(block.untrusted)
            blocks.append(TextBlock(redactor.text(block.text), label))
        else:
            blocks.append(replace(block, text=redactor.text(block.text)))
    return Message(message.role, tuple(blocks))


def guarded(emit: Emit, redactor: Redactor) -> Emit:
    """Give a watcher that is told everything without secrets; streamed text was cleaned across its pieces."""

    def tell(event: Event) -> None:
        if event.name != "text":
            data = redactor.value(dict(event.data))
            event = Event(event.name, data if isinstance(data, dict) else {})
        emit(event)

    return tell
