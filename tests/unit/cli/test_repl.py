from __future__ import annotations

import io
import sys

import pytest

from akili_cli.cli.repl import start
from akili_cli.domain.errors import UsageError


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_without_a_terminal_no_prompt_opens(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None if name == stream else Terminal())
    with pytest.raises(UsageError, match="needs a terminal") as raised:
        start()
    assert "akili query -m -" not in str(raised.value)
    assert "akili query -m TEXT" in raised.value.hint
