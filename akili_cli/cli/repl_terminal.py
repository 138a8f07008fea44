"""The input line: keys, completion, history on disk, and the status line below."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import Style

from akili_cli.adapters.telemetry.redact import Redactor

PROMPT = "akili> "
Words = Sequence[tuple[str, str]]


class PrivateHistory(FileHistory):
    """What was typed, for the arrow keys: on disk only for this user, and without secrets."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        """Keep the place and the filter; an unreadable history is an empty one."""
        super().__init__(str(path))
        self._path = path
        self._redactor = redactor

    def load_history_strings(self) -> Iterable[str]:
        """Give the lines of earlier sessions, the newest first."""
        try:
            return list(super().load_history_strings())
        except OSError:
            return []

    def store_string(self, string: str) -> None:
        """Append a line; a disk that refuses must not end the session."""
        lines = "".join(f"+{line}\n" for line in self._redactor.text(string).split("\n"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            fd = os.open(self._path, flags, 0o600)
            with os.fdopen(fd, "ab") as file:
                os.fchmod(fd, 0o600)
                file.write(f"\n{lines}".encode("utf-8", "replace"))


class PromptCompleter(Completer):
    """Completes commands at the start, a command's argument after it, and known names anywhere else."""

    def __init__(self, commands: Words, arguments: Callable[[str], Words], names: Callable[[], Words]) -> None:
        """Keep the commands, what may follow one (``run``: the runbooks), and the names; each with its meaning."""
        self._commands = commands
        self._arguments = arguments
        self._names = names

    def get_completions(self, document: Document, _complete_event: CompleteEvent) -> Iterable[Completion]:
        """Give what fits the word before the cursor."""
        text = document.text_before_cursor
        word = document.get_word_before_cursor(WORD=True)
        if not text.startswith("/"):
            found: Words = self._names() if word else ()
        elif " " not in text:
            found = [(f"/{name}", help_) for name, help_ in self._commands]
        else:
            found = self._arguments(text[1 : text.index(" ")])
        for name, meta in found:
            if name.startswith(word) and name != word:
                yield Completion(name, start_position=-len(word), display_meta=meta)


def open_prompt(history: PrivateHistory, completer: Completer, *, color: bool) -> PromptSession[str]:
    """Give the input line; without colour nothing but the cursor is controlled."""
    session: PromptSession[str] = PromptSession(
        message=PROMPT,
        history=history,
        completer=completer,
        key_bindings=_keys(),
        multiline=True,
        prompt_continuation=lambda width, _line, _wrap: "... ".rjust(width),
        complete_while_typing=Condition(lambda: session.default_buffer.text.startswith("/")),
        reserve_space_for_menu=6,
        color_depth=None if color else ColorDepth.DEPTH_1_BIT,
        style=Style.from_dict({"bottom-toolbar": "noreverse", "bottom-toolbar.text": "fg:ansibrightblack"}),
        enable_open_in_editor=False,
        enable_system_prompt=False,
        enable_suspend=True,
    )
    return session


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        submit(event.current_buffer)

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def submit(buffer: Buffer) -> None:
    """Take the chosen completion, or go on after a backslash at the end, or send the text."""
    if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
        buffer.complete_state = None
    elif buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
        buffer.delete_before_cursor()
        buffer.insert_text("\n")
    else:
        buffer.validate_and_handle()
