from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.akili import ROLE, Akili

WATCHER = {"permissions": [*ROLE["permissions"], "create_alert", "send_notification"], "max_risk_level": "medium"}
SECURITY = {"roles": {"operator": WATCHER, "viewer": ROLE}, "user_roles": {"vic": "viewer"}, "default_role": "operator"}


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204 if self.path == "/up" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def akili(tmp_path: Path, port: int) -> Akili:
    made = Akili(tmp_path)
    web = {"allowed_domains": ["127.0.0.1"], "allowed_private_hosts": [f"127.0.0.1:{port}"]}
    made.configure(security=SECURITY, notification={"enabled": True}, tools={"web": web})
    said(made, "channels", "add", "ops", "webhook", "--set", "url=https://example.com/")
    return made


def said(akili: Akili, *arguments: str, code: int = 0, **env: str) -> tuple[str, str]:
    done = akili.run(*arguments, env=env)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def told(akili: Akili, *arguments: str, code: int = 0, **env: str) -> Any:
    return json.loads(said(akili, *arguments, "--json", code=code, **env)[0])


def add(akili: Akili, name: str, kind: str, target: str, *more: str) -> Any:
    return told(akili, "alerts", "add", name, kind, target, "*/5 * * * *", "--notify", "ops", *more)


def test_a_rule_from_its_making_to_its_removal(akili: Akili, port: int) -> None:
    rule = add(akili, "web", "http_status", f"http://127.0.0.1:{port}/up", "--set", "expected_status=204")
    assert (rule["cooldown_seconds"], rule["last_status"], rule["n_of"]) == (300, "ok", "1 of 1")
    assert [one["name"] for one in told(akili, "alerts", "list")] == ["web"]
    assert "not checked yet" in said(akili, "alerts", "list")[0]
    assert said(akili, "alerts", "test", "web")[0].startswith("ok: ")
    assert told(akili, "alerts", "show", rule["id"][:6])["last_status"] == "ok"
    changed = told(akili, "alerts", "edit", "web", "--target", f"http://127.0.0.1:{port}/down", "--n-of", "2/3")
    assert (changed["check_config"]["url"], changed["n_of"]) == (f"http://127.0.0.1:{port}/down", "2 of 3")
    assert told(akili, "alerts", "test", "web", code=1)["status"] == "alert"
    assert "last_checked_at" not in told(akili, "alerts", "show", "web")
    assert "muted_until" in told(akili, "alerts", "mute", "web", "--for", "2h")
    assert "muted_until" not in told(akili, "alerts", "mute", "web", "--off")
    assert told(akili, "alerts", "disable", "web")["enabled"] is False
    assert told(akili, "alerts", "enable", "web")["enabled"] is True
    assert told(akili, "alerts", "history", "web") == []
    said(akili, "alerts", "rm", "web")
    assert told(akili, "alerts", "list") == []
    assert said(akili, "audit", "verify")[0].startswith("ok")


def test_a_refused_check_is_the_exit_code(akili: Akili) -> None:
    add(akili, "inside", "tcp", "127.0.0.1:22")
    out, _ = said(akili, "alerts", "test", "inside", code=2)
    assert out.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("add", "x", "ping", "a", "* * * * *", "--notify", "ops"), 1, "no type of check"),
        (("add", "x", "tcp", "a:1", "@daily", "--notify", "ops"), 1, "shortcuts"),
        (("add", "x", "tcp", "a:1", "* * * * *", "--notify", "nowhere"), 1, "no channel"),
        (("add", "x", "tcp", "a:1", "* * * * *", "--notify", "ops", "--set", "x"), 64, "KEY=VALUE"),
        (("add", "x", "tcp", "a:1", "* * * * *", "--notify", "ops", "--n-of", "3 of 2"), 64, "n_of"),
        (("add", "x", "tcp", "a:1", "* * * * *", "--notify", "ops", "--cooldown", "0"), 64, "cooldown"),
        (("add", "x", "http_status", "http://u:p@a/", "* * * * *", "--notify", "ops"), 1, "user name"),
        (("show", "wbe"), 1, "web"),
        (("edit", "web"), 64, "nothing"),
        (("mute", "web", "--for", "soon"), 64, "duration"),
        (("mute", "web", "--for", "99999999h"), 64, "a year"),
    ],
)
def test_bad_input_is_refused_with_the_reason(akili: Akili, arguments: tuple[str, ...], code: int, why: str) -> None:
    add(akili, "web", "tcp", "a.example:1")
    assert why in said(akili, "alerts", *arguments, code=code)[1]
    assert len(told(akili, "alerts", "list")) == 1


def test_others_rules_and_missing_permissions_are_refusals(akili: Akili) -> None:
    add(akili, "web", "tcp", "a.example:1")
    assert "belongs to cli-user" in said(akili, "alerts", "rm", "web", code=2, AKILI_CLI_USER="ben")[1]
    assert "create_alert" in said(akili, "alerts", "test", "web", code=2, AKILI_CLI_USER="vic")[1]


def test_alerting_without_notification_is_a_mistake_in_the_configuration(akili: Akili) -> None:
    akili.configure(alerting={"enabled": True})
    assert (
        "notification.enabled" in said(akili, "config", "check", code=1)[1] + said(akili, "alerts", "list", code=1)[1]
    )
