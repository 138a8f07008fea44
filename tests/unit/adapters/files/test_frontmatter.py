from __future__ import annotations

import pytest

from akili_cli.adapters.files.frontmatter import split_front_matter
from akili_cli.domain.errors import ConfigError


def test_a_file_is_split_with_the_lines_of_the_whole_file() -> None:
    document = split_front_matter("---\nname: x\ntags:\n  - a\n---\nbody\n---\nmore\n", source="f.md")
    assert document.front == {"name": "x", "tags": ["a"]}
    assert document.lines[("tags",)] == 3
    assert (document.body, document.body_line) == ("body\n---\nmore\n", 6)


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    assert split_front_matter("\ufeff---\r\nname: x\r\n---\r\nbody", source="f").front == {"name": "x"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "f:1: no front matter"),
        ("name: x", "f:1: no front matter"),
        (" ---\nname: x\n---\n", "f:1: no front matter"),
        ("---\nname: x\n", "f:1: the front matter is not closed"),
        ("---\n- a\n---\n", "f:2: the front matter is not a mapping"),
        ("---\n---\n", "f:2: the front matter is not a mapping"),
        ("---\nname: [\n---\n", "f:"),
        ("---\nname: x\nname: y\n---\n", "f:3: duplicate key"),
        ("---\n" + "x" * 1_048_577, "larger than 1 MiB"),
    ],
)
def test_what_is_no_front_matter_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        split_front_matter(text, source="f")
