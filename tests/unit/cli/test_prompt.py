from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sys
import termios
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from akili_cli.cli.prompt import TerminalAsker, at_terminal, quiet_keyboard
from akili_cli.core.approvals.model import NO_OFFER, Answer, AnswerKind, Offer
from akili_cli.domain.clock import SystemClock
from tests.unit.cli.test_card import APPROVAL


class Terminal:
    """A real pseudo-terminal that stands for stdin and stderr."""

    def __init__(self) -> None:
        self.screen, self.inside = pty.openpty()
        termios.tcsetwinsize(self.inside, (40, 100))
        self.streams = (os.fdopen(os.dup(self.inside), "r"), os.fdopen(os.dup(self.inside), "w"))
        self.seen = ""
        self.read = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self.screen, 65_536):
                self.seen += data.decode("utf-8", "replace")

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Must come in the test itself: between set-up and test the captured streams are put back."""
        monkeypatch.setattr(sys, "stdin", self.streams[0])
        monkeypatch.setattr(sys, "stderr", self.streams[1])
        monkeypatch.setenv("TERM", "xterm")

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    async def wait_for(self, text: str) -> None:
        while text not in self.seen:
            await asyncio.sleep(0.02)
        before, self.seen = self.seen.split(text, 1)
        self.read += before

    def close(self) -> None:
        for stream in self.streams:
            stream.close()
        os.close(self.inside)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


async def ruling(
    terminal: Terminal, *typed: str, left_s: float = 60.0, lines: int = 1, offer: Offer = NO_OFFER
) -> Answer:
    now = SystemClock().now()
    approval = replace(APPROVAL, expires_at=now + left_s, arguments={"command": "true\n" * lines})
    with pytest.MonkeyPatch.context() as patch:
        terminal.stand_in(patch)
        question = asyncio.ensure_future(TerminalAsker().ask(approval, offer))
        for text in typed:
            await terminal.wait_for("for the model] ")
            terminal.type(text)
        return await question


@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " y \n", "approve\n"])
async def test_a_typed_yes_approves_once(terminal: Terminal, typed: str) -> None:
    assert await ruling(terminal, typed) == Answer(AnswerKind.ONCE)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("\n", ""),
        ("n\n", ""),
        ("no\n", ""),
        ("\x04", ""),
        ("\x03", ""),
        ("y\x03", ""),
        ("y\x04", ""),
        ("not that one\n", "not that one"),
        ("yy\n", "yy"),
        ("\x1b[200~use /tmp\x1b[201~\n", "use /tmp"),
    ],
)
async def test_everything_else_denies(terminal: Terminal, typed: str, words: str) -> None:
    assert await ruling(terminal, typed) == Answer(AnswerKind.DENY, words)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("s\n", AnswerKind.SESSION), ("session\n", AnswerKind.SESSION), ("p\n", AnswerKind.PATTERN)],
)
async def test_a_standing_ruling_is_given_only_where_it_is_offered(
    terminal: Terminal, typed: str, kind: AnswerKind
) -> None:
    offer = Offer(session="exactly this", pattern="shell_exec: commands df")
    assert await ruling(terminal, typed, offer=offer) == Answer(kind)
    assert await ruling(terminal, typed, "n\n") == Answer(AnswerKind.DENY)


async def test_a_change_is_read_as_name_and_value(terminal: Terminal) -> None:
    answer = await ruling(terminal, "e command\n", "e command = df -h /srv=x\n")
    assert answer == Answer(AnswerKind.EDIT, arguments={"command": "df -h /srv=x"})


async def test_what_a_pattern_would_cover_is_printed(terminal: Terminal) -> None:
    assert (await ruling(terminal, "n\n", offer=Offer(pattern="shell_exec: commands df"))).kind is AnswerKind.DENY
    assert "p would stand for a while, for shell_exec: commands df" in terminal.read


@pytest.mark.parametrize(
    "typed", ["y\nmore\n", "\x1b[200~y\x1b[201~\n", "\x1b[200~y\n\x1b[201~", "y\x1b[A\n", "y\x00\n"]
)
async def test_a_doubtful_yes_is_asked_again(terminal: Terminal, typed: str) -> None:
    assert await ruling(terminal, typed, "n\n") == Answer(AnswerKind.DENY)


async def test_what_was_typed_before_is_thrown_away(terminal: Terminal) -> None:
    terminal.type("y\ny\ny")
    assert await ruling(terminal, "n\n") == Answer(AnswerKind.DENY)


async def test_a_card_longer_than_the_screen_needs_the_whole_word(terminal: Terminal) -> None:
    assert await ruling(terminal, "y\n", "approve\n", lines=60) == Answer(AnswerKind.ONCE)


async def test_a_call_too_long_to_be_read_cannot_be_approved(terminal: Terminal) -> None:
    answer = await ruling(terminal, lines=20_000)
    assert answer.kind is AnswerKind.DENY
    assert "too long" in answer.feedback


async def test_silence_until_the_approval_expires_denies(terminal: Terminal) -> None:
    answer = await ruling(terminal, left_s=2.0)
    assert answer.kind is AnswerKind.DENY
    assert "nobody answered" in answer.feedback


async def test_the_terminal_is_given_back_as_it_was(terminal: Terminal) -> None:
    before = termios.tcgetattr(terminal.inside)
    await ruling(terminal, "\x03")
    assert termios.tcgetattr(terminal.inside) == before


async def test_without_a_terminal_nobody_is_asked_and_nothing_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not at_terminal()
        assert (await TerminalAsker().ask(APPROVAL)).kind is AnswerKind.DENY


def test_a_quiet_keyboard_echoes_nothing_and_ends(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stand_in(monkeypatch)
    before = termios.tcgetattr(terminal.inside)
    with quiet_keyboard():
        assert not termios.tcgetattr(terminal.inside)[3] & termios.ECHO
        assert termios.tcgetattr(terminal.inside)[3] & termios.ISIG
    assert termios.tcgetattr(terminal.inside) == before
