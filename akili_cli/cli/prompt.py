"""Asks the person at this terminal to rule on a held call. Whatever is not a clear yes is a no."""

from __future__ import annotations

import asyncio
import sys

from akili_cli.cli import render
from akili_cli.cli.card import card_lines
from akili_cli.core.approvals.model import Answer, AnswerKind, Approval

MAX_CARD_CHARS = 60_000


class TerminalAsker:
    """Shows the whole card on stderr and reads one line from the terminal."""

    async def ask(self, approval: Approval) -> Answer:
        """Give the ruling: ``y`` once, ``n`` or nothing denies, other words deny and go back to the model."""
        lines = card_lines(approval)
        if sum(len(line) for line in lines) > MAX_CARD_CHARS:
            render.talk("this call is too long to be shown here, so it cannot be approved here", "red")
            render.talk(f"look at it with: akili approvals show {approval.id[:8]}")
            return Answer(AnswerKind.DENY, "the call is too long to be reviewed at a prompt; make it smaller")
        render.talk("")
        for line in lines:
            render.talk(line)
        reply = (await asyncio.to_thread(self._read)).strip()
        if reply.lower() in ("y", "yes"):
            return Answer(AnswerKind.ONCE)
        words = "" if reply.lower() in ("", "n", "no") else reply
        return Answer(AnswerKind.DENY, words)

    def _read(self) -> str:
        sys.stderr.write(render.paint("approve? [y/N, or words for the model] ", "bold", sys.stderr))
        sys.stderr.flush()
        return sys.stdin.readline()
