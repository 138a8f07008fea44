"""Asks the person at this terminal to rule on a held call. Whatever is not a clear yes, typed now, is a no."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import termios
from collections.abc import Iterator
from typing import TYPE_CHECKING

from akili_cli.cli import render
from akili_cli.cli.card import NO_FACTS, CardFacts, card_lines, rows
from akili_cli.core.approvals.model import NO_OFFER, Answer, AnswerKind, Approval, Offer
from akili_cli.domain.clock import SystemClock

if TYPE_CHECKING:
    from akili_cli.bootstrap.app import App

MAX_CARD_CHARS = 60_000
SETTLE_S, SETTLE_ROUNDS = 0.3, 20
BURST_S = 0.05
ANSWER_MARGIN_S = 1.0
_YES = {
    "y": AnswerKind.ONCE,
    "yes": AnswerKind.ONCE,
    "approve": AnswerKind.ONCE,
    "s": AnswerKind.SESSION,
    "session": AnswerKind.SESSION,
    "p": AnswerKind.PATTERN,
    "pattern": AnswerKind.PATTERN,
}
DENIED = Answer(AnswerKind.DENY)
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PASTE_BEGIN, _PASTE_END = "\x1b[200~", "\x1b[201~"
_CTRL_C = "\x03"
_LFLAG, _CC = 3, 6


def at_terminal() -> bool:
    """Tell whether a person can be asked: the keyboard and the screen are both a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()


class TerminalAsker:
    """Shows the whole card on stderr and takes one line from the keyboard.

    With ``app`` set, the card also shows sandbox layers, cost, and a write as a change of the present file; without
    one, what ``facts`` say.
    """

    def __init__(self, app: App | None = None, *, facts: CardFacts = NO_FACTS) -> None:
        """Keep the application, which may be set later: it is opened with this asker."""
        self.app = app
        self._facts = facts

    async def ask(self, approval: Approval, offer: Offer = NO_OFFER) -> Answer:
        """Give the ruling; Ctrl-C, end of input, silence until the approval expires, and doubt are all a no.

        1. The whole card is shown. 2. What was typed before, or still arrives unasked, is thrown away. 3. One line
        is read; a pasted yes, or one of several lines, does not count. 4. A card longer than the screen needs the
        whole word ``approve``.
        """
        if not at_terminal():
            return Answer(AnswerKind.DENY, "nobody is at the terminal to approve it")
        lines = card_lines(approval, await self._known(approval))
        if sum(len(line) for line in lines) > MAX_CARD_CHARS:
            render.talk("this call is too long to be shown here, so it cannot be approved here", "red")
            render.talk(f"look at it with: akili approvals show {approval.id[:8]}")
            return Answer(AnswerKind.DENY, "the call is too long to be reviewed at a prompt; make it smaller")
        render.talk("")
        for line in lines:
            render.talk(line, _style(line))
        screen = os.get_terminal_size(sys.stderr.fileno())
        height = rows(lines, screen.columns)
        tall = height > max(1, screen.lines - 2)
        left_s = approval.expires_at - SystemClock().now() - ANSWER_MARGIN_S
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                return await self._answer(height if tall else 0, NO_OFFER if tall else offer)
        except TimeoutError:
            render.talk("\nnobody answered in time: denied", "yellow")
            return Answer(AnswerKind.DENY, "nobody answered before the approval expired")

    async def _known(self, approval: Approval) -> CardFacts:
        if self.app is None:
            return self._facts
        from akili_cli.cli.facts import card_facts

        return await card_facts(self.app.state, self.app.approvals.place.layers, approval)

    async def _answer(self, tall_rows: int, offer: Offer) -> Answer:
        fd = sys.stdin.fileno()
        with _own_keyboard(fd) as keyboard:
            if not await keyboard.silence():
                return DENIED
            if tall_rows:
                render.talk(
                    f"the card has {tall_rows} rows, more than this screen: scroll up and read it all", "yellow"
                )
            for key, covers in (("s", offer.session), ("p", offer.pattern)):
                if covers is not None:
                    render.talk(f"{key} would stand for a while, for {covers}", "dim")
            question = "Approve? [type approve to approve" if tall_rows else f"Approve? [{_choices(offer)}"
            while True:
                _write(render.paint(f"{question}, or words for the model] ", "bold", sys.stderr))
                line = await keyboard.line()
                answer = _ruling(line, offer, whole_word=bool(tall_rows), burst=keyboard.has_more())
                if isinstance(answer, Answer):
                    return answer
                render.talk(answer, "yellow")
                keyboard.flush()


def _choices(offer: Offer) -> str:
    session, pattern = offer.session and "s", offer.pattern and "p"
    return "/".join(key for key in ("y", session, pattern, "N") if key) + ", e NAME=VALUE to change it"


def _ruling(line: str, offer: Offer, *, whole_word: bool, burst: bool) -> Answer | str:
    """Read a line as a ruling, or say why the question is put again."""
    if not line.endswith("\n") or _CTRL_C in line:
        _write("\n")
        return DENIED
    pasted = _PASTE_BEGIN in line or _PASTE_END in line or burst
    text = line.replace(_PASTE_BEGIN, "").replace(_PASTE_END, "").strip()
    word = text.lower()
    kind = _YES.get(word)
    if kind is not None or word.startswith("e "):
        if pasted:
            return "that was pasted, not typed: nothing is approved yet"
        if whole_word and word != "approve":
            return "the card is longer than the screen: type the whole word approve, or n"
        return _edit(text) if kind is None else _given(kind, offer)
    if not text.isprintable():
        return "that holds control characters: nothing is approved yet"
    return Answer(AnswerKind.DENY, "" if word in ("", "n", "no", "deny") else text)


def _given(kind: AnswerKind, offer: Offer) -> Answer | str:
    if (kind is AnswerKind.SESSION and offer.session is None) or (kind is AnswerKind.PATTERN and offer.pattern is None):
        return "this call can only be approved once: y, or n"
    return Answer(kind)


def _edit(text: str) -> Answer | str:
    name, equals, value = text[2:].strip().partition("=")
    if not equals or not name.strip().isidentifier() or not text.isprintable():
        return "write the change as: e NAME=VALUE, for example: e command=df -h"
    return Answer(AnswerKind.EDIT, arguments={name.strip(): value.strip()})


class _Keyboard:
    """The terminal's input while a question is open."""

    def __init__(self, fd: int, asking: list[object]) -> None:
        self._fd = fd
        self._asking = asking

    async def silence(self) -> bool:
        """Throw away what was typed before the question, until nothing more comes; False after a Ctrl-C."""
        termios.tcflush(self._fd, termios.TCIFLUSH)
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(SETTLE_S)
            if not self._readable(0):
                break
            if _CTRL_C.encode() in self._read():
                return False
        termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._asking)  # type: ignore[arg-type]  # tcgetattr's list
        return True

    async def line(self) -> str:
        """Wait for a line; without its line end when it was ended by Ctrl-C or end of input."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def note() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(self._fd, note)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)
        return self._read().decode("utf-8", "replace")

    def has_more(self) -> bool:
        """Tell whether another line came in the same moment, as only a paste does."""
        return self._readable(BURST_S)

    def flush(self) -> None:
        """Throw away what waits."""
        termios.tcflush(self._fd, termios.TCIFLUSH)

    def _readable(self, timeout_s: float) -> bool:
        return bool(select.select([self._fd], [], [], timeout_s)[0])

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 65_536)
        except OSError:
            return b""


@contextlib.contextmanager
def _own_keyboard(fd: int) -> Iterator[_Keyboard]:
    """Take the terminal's input for a question, and give it back as it was.

    Ctrl-C is then a character that ends the line, so that it answers the question instead of ending the run.
    """
    before = termios.tcgetattr(fd)
    deaf, asking = termios.tcgetattr(fd), termios.tcgetattr(fd)
    deaf[_LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    deaf[_CC][termios.VMIN], deaf[_CC][termios.VTIME] = 1, 0
    asking[_LFLAG] |= termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK
    asking[_LFLAG] &= ~termios.ISIG
    asking[_CC][termios.VEOL] = _CTRL_C.encode()
    marks_pastes = os.environ.get("TERM", "dumb") != "dumb"
    termios.tcsetattr(fd, termios.TCSAFLUSH, deaf)
    try:
        if marks_pastes:
            _write(_PASTE_ON)
        yield _Keyboard(fd, asking)
    finally:
        if marks_pastes:
            _write(_PASTE_OFF)
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def quiet_keyboard() -> Iterator[None]:
    """Keep what is typed while something runs off the screen; it waits for the next prompt. Ctrl-C still works."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    silent = termios.tcgetattr(fd)
    silent[_LFLAG] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _style(line: str) -> str | None:
    if line.startswith("approval "):
        return "bold"
    if line.startswith(("look twice ", "undo       CANNOT", "untrusted ")):
        return "yellow"
    if line.startswith("    +"):
        return "green"
    return "red" if line.startswith("    -") else None
