from __future__ import annotations

import pytest

from akili_cli.config.entries import bad_path, bad_reference, bad_tool, entry_problems


@pytest.mark.parametrize("path", ["/srv", "~", "~/x", ".", "a/b"])
def test_a_plain_path_is_fine(path: str) -> None:
    assert bad_path(path) is None


@pytest.mark.parametrize("path", ["", " ", "$HOME/x", "/srv/*", "/srv/[ab]", "~root/x"])
def test_a_path_that_would_match_nothing_is_not(path: str) -> None:
    assert bad_path(path)


def test_a_tool_name_is_checked_and_the_nearest_named() -> None:
    assert bad_tool("shell_exec") is None
    assert bad_tool("mcp__files__read") is None
    assert "shell_exec" in str(bad_tool("shell_exce"))


def test_a_reference_names_a_variable() -> None:
    assert bad_reference("env", "OPENAI_API_KEY") is None
    assert bad_reference("env", "not a name")


def test_each_bad_entry_is_named_with_its_place() -> None:
    data = {"tools": {"file": {"allowed_paths": ["/srv", "/srv/*"]}, "web": {"allowed_domains": ["*"]}}}
    assert {problem.path for problem in entry_problems(data)} == {
        ("tools", "file", "allowed_paths", 1),
        ("tools", "web", "allowed_domains", 0),
    }
