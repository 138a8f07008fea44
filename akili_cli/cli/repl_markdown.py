"""Prints Markdown while it arrives: finished blocks stay, the last one is redrawn until it is finished too."""

from __future__ import annotations

import asyncio
import re
import sys

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text

from akili_cli.cli import render

REFRESH_S = 0.08
MAX_BLOCK_CHARS = 6000
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r" {0,3}([-*+]|\d{1,9}[.)])\s")
_SURE_CHARS = 12


class PlainStream:
    """Writes the pieces of an answer as they come."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self._open = False

    def wait(self, _words: str) -> None:
        """Show nothing while nothing comes."""

    def feed(self, text: str) -> None:
        """Write a piece."""
        text = text.replace("\r\n", "\n")
        render.raw_out(text)
        self._open = not text.endswith("\n")

    def finish(self) -> None:
        """End the last line."""
        if self._open:
            render.raw_out("\n")
        self._open = False


class MarkdownStream:
    """Renders an answer on a terminal that can move its cursor."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to stdout, or to a given console."""
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._rest = ""
        self._live: Live | None = None
        self._due: asyncio.TimerHandle | None = None
        self._printed = False

    def wait(self, words: str) -> None:
        """Say that something is under way, until the next piece or the end."""
        self._draw(Text(words, style="dim"))

    def feed(self, text: str) -> None:
        """Take a piece: print the blocks it finishes now, show the rest within ``REFRESH_S``."""
        self._rest += text.replace("\r\n", "\n")
        done, self._rest = split_blocks(self._rest)
        for block in done:
            self._print(block)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(REFRESH_S, self._refresh)

    def finish(self) -> None:
        """Print what is left and take the moving part off the screen."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._print(self._rest)
        self._rest = ""
        self._printed = False

    def _print(self, block: str) -> None:
        self._clear()
        if not block.strip():
            return
        self._console.print(_Rows(block, gap=self._printed))
        self._printed = True

    def _refresh(self) -> None:
        self._due = None
        if self._rest.strip():
            self._draw(_Rows(self._rest, gap=self._printed, at_most=max(1, self._console.size.height - 2)))

    def _draw(self, what: Text | _Rows) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()
        self._live.update(what, refresh=True)

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


class _Rows:
    """One block of Markdown as rows, without empty ones around it; only the last ``at_most`` rows when given."""

    def __init__(self, text: str, *, gap: bool, at_most: int | None = None) -> None:
        """Keep the text; with ``gap`` an empty row stands above it."""
        self._text = text
        self._gap = gap
        self._at_most = at_most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the rows, separated by line ends."""
        rows = console.render_lines(_markdown(self._text), options, pad=False)
        while rows and _is_empty(rows[0]):
            rows.pop(0)
        while rows and _is_empty(rows[-1]):
            rows.pop()
        rows = ([[]] if self._gap else []) + rows
        last = rows if self._at_most is None else rows[-self._at_most :]
        for index, row in enumerate(last):
            if index:
                yield Segment.line()
            yield from row
        if self._at_most is None:
            yield Segment.line()


def _is_empty(row: list[Segment]) -> bool:
    return all(not segment.text.strip() and not _has_background(segment) for segment in row)


def _has_background(segment: Segment) -> bool:
    return segment.style is not None and segment.style.bgcolor is not None


def _markdown(text: str) -> Markdown:
    return Markdown(render.safe(text), hyperlinks=False, code_theme="ansi_dark")


def split_blocks(text: str) -> tuple[list[str], str]:
    """Cut off the blocks that nothing to come can change: up to a blank line that what follows does not belong to.

    A block that grows beyond ``MAX_BLOCK_CHARS`` is cut at a line end; a code fence is then closed and opened anew.
    """
    done: list[str] = []
    while True:
        end = _first_end(text)
        if end:
            done.append(text[:end])
            text = text[end:].lstrip("\n")
        elif len(text) > MAX_BLOCK_CHARS:
            head, text = _cut(text)
            done.append(head)
        else:
            return done, text


def _first_end(text: str) -> int:
    """Give where the first block ends, 0 when that cannot be known yet."""
    fence, blank_at, at, is_list = "", 0, 0, False
    for line in text.splitlines(keepends=True):
        if fence:
            fence = "" if _closes(line, fence) else fence
        elif not line.strip():
            blank_at = blank_at or at
        elif blank_at and not line.endswith("\n") and len(line) < _SURE_CHARS:
            return 0
        elif blank_at and not (line[0].isspace() or (is_list and _ITEM.match(line))):
            return blank_at
        else:
            blank_at = 0
            is_list = is_list or _ITEM.match(line) is not None
            found = _FENCE.match(line)
            fence = found.group(1) if found else ""
        at += len(line)
    return 0


def _closes(line: str, fence: str) -> bool:
    found = _FENCE.match(line)
    return found is not None and found.group(1).startswith(fence) and not line[found.end() :].strip()


def _cut(text: str) -> tuple[str, str]:
    at = text.rfind("\n", 1, MAX_BLOCK_CHARS) + 1 or MAX_BLOCK_CHARS
    head, rest = text[:at], text[at:]
    opened = ""
    for line in head.splitlines():
        if opened:
            fence = _FENCE.match(opened)
            opened = "" if fence is not None and _closes(line, fence.group(1)) else opened
        elif _FENCE.match(line):
            opened = line
    found = _FENCE.match(opened)
    if found is None:
        return head, rest
    return f"{head}{found.group(1)}\n", f"{opened[:200]}\n{rest}"
