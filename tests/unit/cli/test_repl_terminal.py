from __future__ import annotations

import stat
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.cli.repl_terminal import PrivateHistory, PromptCompleter, open_prompt

COMPLETER = PromptCompleter(
    [("run", "Play."), ("runbooks", "List."), ("exit", "Leave.")],
    lambda command: [("disk", "Disks."), ("dns", "Names.")] if command == "run" else [],
    lambda: [("shell_exec", "Run.")],
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/r", ["/run", "/runbooks"]),
        ("/", ["/run", "/runbooks", "/exit"]),
        ("/run d", ["disk", "dns"]),
        ("/run ", ["disk", "dns"]),
        ("/exit ", []),
        ("use she", ["shell_exec"]),
        ("use ", []),
        ("", []),
    ],
)
def test_the_word_before_the_cursor_is_completed(text: str, found: list[str]) -> None:
    completions = COMPLETER.get_completions(Document(text), CompleteEvent())
    assert [one.text for one in completions] == found


def test_history_comes_back_newest_first_and_lines_stay_together(tmp_path: Path) -> None:
    history = PrivateHistory(tmp_path / "history", Redactor())
    history.append_string("first")
    history.append_string("second\nline")
    assert list(PrivateHistory(tmp_path / "history", Redactor()).load_history_strings()) == ["second\nline", "first"]


def test_history_is_for_this_user_only_even_when_it_was_open_before(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.touch(0o644)
    PrivateHistory(path, Redactor()).append_string("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_history_holds_no_secret(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.register("correct horse battery", "phrase")
    PrivateHistory(tmp_path / "history", redactor).append_string("log in with correct horse battery")
    assert "horse" not in (tmp_path / "history").read_text()


def test_history_follows_no_link_and_a_refusing_disk_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "history").symlink_to(tmp_path / "other")
    history = PrivateHistory(tmp_path / "history", Redactor())
    history.append_string("x")
    assert not (tmp_path / "other").exists()
    PrivateHistory(tmp_path, Redactor()).append_string("x")
    assert list(PrivateHistory(tmp_path, Redactor()).load_history_strings()) == []


async def typed(keys: str, tmp_path: Path) -> str:
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        prompt = open_prompt(PrivateHistory(tmp_path / "history", Redactor()), COMPLETER, color=False)
        keyboard.send_text(keys)
        return await prompt.prompt_async()


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("hello\r", "hello"),
        ("one\\\rtwo\r", "one\ntwo"),
        ("one\x1b\rtwo\r", "one\ntwo"),
        ("\x1b[200~one\ntwo\x1b[201~\r", "one\ntwo"),
        ("a\\b\r", "a\\b"),
    ],
    ids=["enter", "backslash", "alt-enter", "paste", "backslash-inside"],
)
async def test_keys_make_the_message(keys: str, text: str, tmp_path: Path) -> None:
    assert await typed(keys, tmp_path) == text


async def test_ctrl_d_ends_and_ctrl_c_interrupts(tmp_path: Path) -> None:
    with pytest.raises(EOFError):
        await typed("\x04", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        await typed("half\x03", tmp_path)
