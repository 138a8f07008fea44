from __future__ import annotations

import pytest

from akili_cli.bootstrap.shell_probes import shell_lines
from akili_cli.core.policy.model import Match


@pytest.mark.parametrize(
    ("match", "paths", "line"),
    [
        (Match(commands=("git push",)), ((), (), ()), "git push"),
        (Match(commands=("git push",)), ((), (), ()), "git push https://akili-probe.example/x"),
        (Match(commands=("cat",), reads=("/a b",)), (("/a b/p",), (), ()), "cat '/a b/p'"),
        (Match(writes=("/etc",)), ((), ("/etc/p",), ()), "touch /etc/p"),
        (Match(deletes=("/etc",)), ((), (), ("/etc/p",)), "rm -f /etc/p"),
        (Match(paths=("/etc",)), (("/etc/p",), ("/etc/p",), ("/etc/p",)), "cat /etc/p"),
        (Match(domains=("*.a.example",)), ((), (), ()), "curl -sS https://akili-probe.a.example/"),
        (Match(domains=("a.example:80",)), ((), (), ()), "curl -sS http://a.example:80/"),
        (Match(domains=("::1",)), ((), (), ()), "curl -sS https://[::1]/"),
        (Match(domains=("unix:/run/a.sock",)), ((), (), ()), "curl -sS --unix-socket /run/a.sock http://localhost/"),
        (Match(unless_domains=("a.example",)), ((), (), ()), "curl -sS https://akili-probe.example/"),
        (Match(unless_commands=("id",)), ((), (), ()), "akili-probe"),
        (Match(effects=("hosts",)), ((), (), ()), "curl -sS https://akili-probe.example/"),
        (Match(tools=("shell_exec",)), ((), (), ()), "df -h"),
        (Match(reads=("/a",), writes=("/b",)), (("/a",), ("/b",), ()), "cat /a; touch /b"),
    ],
)
def test_lines_do_what_the_rule_names(match: Match, paths: tuple[tuple[str, ...], ...], line: str) -> None:
    assert line in list(shell_lines(match, *paths))
