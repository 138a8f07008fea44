from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.llm.keys import read_reference
from akili_cli.domain.errors import ConfigError


def key_file(path: Path, text: str = "sk-1\n", mode: int = 0o600) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return f"file://{path}"


def test_variable_is_read() -> None:
    assert read_reference("env://KEY", {"KEY": " sk-1 "}) == "sk-1"


def test_private_file_is_read(tmp_path: Path) -> None:
    assert read_reference(key_file(tmp_path / "key"), {}) == "sk-1"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others may read"):
        read_reference(key_file(tmp_path / "key", mode=mode), {})


@pytest.mark.parametrize(
    "text", ["", " \n", "two words", "sk-\x1b[0m", "sk-ü", "a\nb", "x" * 9000], ids=lambda text: repr(text)[:12]
)
def test_file_without_a_usable_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_reference(key_file(tmp_path / "key", text), {})
    assert not text.strip() or text.strip() not in str(caught.value)


@pytest.mark.parametrize("reference", ["env://NONE", "file://relative", "file:///no/such", "sk-key", "", "x://y"])
def test_reference_to_nothing_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError):
        read_reference(reference, {})


def test_pipe_and_directory_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(ConfigError):
            read_reference(f"file://{tmp_path / name}", {})


def test_path_with_a_null_byte_is_refused() -> None:
    with pytest.raises(ConfigError):
        read_reference("file:///tmp/\x00", {})
