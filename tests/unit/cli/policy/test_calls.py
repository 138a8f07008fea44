from __future__ import annotations

from akili_cli.cli.policy.calls import WIDTH, line_of_call


def test_a_call_is_one_line_that_says_what_it_is_about() -> None:
    assert line_of_call("shell_exec", {"command": "df\n-h", "timeout": "1s"}) == "shell_exec: df -h"
    assert line_of_call("web_fetch", {"url": "https://a.example/"}) == "web_fetch: https://a.example/"
    assert line_of_call("other", {"a": 1}) == 'other: {"a":1}'


def test_a_long_call_is_cut() -> None:
    line = line_of_call("shell_exec", {"command": "x" * 500})
    assert len(line) == WIDTH
    assert line.endswith("...")
