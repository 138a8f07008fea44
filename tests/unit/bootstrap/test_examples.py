from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.domain.errors import ConfigError
from tests.fakes.policies import BASE, judge_from

RULE = """\
policies:
  rules:
    - id: r
      match: {%s}
      verdict: deny
      because: why
      examples:
        - {%s}
"""


@pytest.mark.parametrize(
    ("match", "example"),
    [
        ("commands: [git push]", "tool: shell_exec, with: {command: sudo git push}"),
        ("commands: [git push]", "tool: shell_exec, with: {command: git status}, matches: false"),
        ("roles: [viewer], reads: [/srv]", "tool: file_read, with: {path: /srv/x}"),
        ("roles: [viewer], reads: [/srv]", "tool: file_read, with: {path: /srv/x}, user: ann, matches: false"),
        ("agents: [bot], effects: [writes]", "tool: file_write, with: {path: /srv/x, content: y}"),
        ("agents: [bot], effects: [writes]", "tool: file_read, with: {path: /x}, agent: a, matches: false"),
        ("sources: [repl], writes: [/srv]", "tool: file_write, with: {path: /srv/x, content: y}"),
        ("sources: [repl]", "tool: file_read, with: {path: /srv/x}, source: cli, matches: false"),
        ("min_risk: critical", "tool: shell_exec, with: {command: kill 1}, untrusted: true"),
        ("min_risk: critical", "tool: shell_exec, with: {command: kill 1}, matches: false"),
        (
            "tools: [shell_exec], hours: {from: '22:00', to: '06:00', timezone: UTC}",
            "tool: shell_exec, with: {command: id}, at: '2026-02-17T23:00+00:00'",
        ),
    ],
)  # fmt: skip
def test_an_example_that_matches_as_claimed_is_fine(tmp_path: Path, match: str, example: str) -> None:
    judge_from(tmp_path, BASE + RULE % (match, example))


@pytest.mark.parametrize(
    ("match", "example", "what"),
    [
        ("commands: [git push]", "tool: shell_exec, with: {command: git status}", "does not match"),
        ("commands: [git push]", "tool: shell_exec, with: {command: git push}, matches: false", "must not"),
        ("commands: [git push]", "tool: shell_exec, with: {comand: git push}", "is no valid call"),
        ("users: [ann]", "tool: file_read, with: {path: /srv/x}, user: vic", "does not match"),
        (
            "tools: [shell_exec], hours: {from: '22:00', to: '06:00', timezone: UTC}",
            "tool: shell_exec, with: {command: id}, at: '2026-02-17T12:00+00:00'",
            "does not match",
        ),
    ],
)
def test_an_example_that_claims_otherwise_stops_the_start(tmp_path: Path, match: str, example: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        judge_from(tmp_path, BASE + RULE % (match, example))
    assert what in str(caught.value)
    assert "policy.yaml:14: rule r: " in str(caught.value)
