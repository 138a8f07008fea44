from __future__ import annotations

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.egress import ModelEgress, guarded, without_secrets
from akili_cli.domain.events import Event
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolSpec, ToolUseBlock

SECRET = "hunter22-in-production"


def registered() -> Redactor:
    redactor = Redactor()
    redactor.register(SECRET, "db")
    return redactor


def test_texts_labels_arguments_and_results_are_cleaned() -> None:
    blocks = (
        TextBlock(SECRET, untrusted=f"file /{SECRET}"),
        ToolUseBlock("1", "look", {"path": f"/{SECRET}"}, raw=SECRET),
        ToolUseBlock("2", "look", None, raw=SECRET),
        ToolResultBlock("1", SECRET, is_error=True),
    )
    clean = without_secrets(Message("user", blocks), registered())
    assert SECRET not in repr(clean)
    assert [type(block) for block in clean.blocks] == [type(block) for block in blocks]
    assert clean.blocks[3] == ToolResultBlock("1", "[redacted:db]", is_error=True)


def test_what_was_cleaned_is_remembered_until_more_is_known() -> None:
    redactor = registered()
    egress, message = ModelEgress(redactor), Message("user", (TextBlock(f"{SECRET} other-secret"),))
    first = egress.messages((message,))
    assert egress.messages((message,))[0] is first[0]
    redactor.register("other-secret", "later")
    assert egress.messages((message,))[0].text == "[redacted:db] [redacted:later]"
    assert egress.text(SECRET) == egress.text(SECRET) == "[redacted:db]"
    assert egress.tools((ToolSpec("t", SECRET, {}),)) == (ToolSpec("t", "[redacted:db]", {}),)


def test_a_watcher_is_told_clean_data() -> None:
    told: list[Event] = []
    emit = guarded(told.append, registered())
    emit(Event("tool.result", {"text": SECRET, "usage": {"input_tokens": 3}}))
    emit(Event("text", {"text": "streamed"}))
    assert told[0].data == {"text": "[redacted:db]", "usage": {"input_tokens": 3}}
    assert told[1].data == {"text": "streamed"}
