from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from akili_cli.adapters.net.outgoing import Wire
from akili_cli.adapters.net.resolve import system_resolver
from akili_cli.domain.calls import Principal, ToolOutput
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, PolicyDeniedError
from akili_cli.features.alerts.model import AlertRule, RuleDraft
from akili_cli.features.alerts.tools import CreateAlert, CreateAlertArgs, EndpointCheck, EndpointCheckArgs
from tests.fakes.alerts import RULE
from tests.fakes.certificates import authority
from tests.fakes.permits import permit_for
from tests.fakes.web import response, web_server

CA = authority()
WIRE = Wire(resolver=system_resolver, tls=CA.trusting())


async def check(private: str, **given: object) -> ToolOutput:
    tool = EndpointCheck((private,), SystemClock(), wire=WIRE)
    args = EndpointCheckArgs.model_validate(given)
    return await tool.run(args, permit_for(tool.effects(args)))


@pytest.mark.parametrize(("status", "ok"), [(200, True), (503, False), (301, False)])
async def test_a_status_is_compared(status: int, ok: bool) -> None:
    async with web_server(lambda _head: response(b"", status, Location="/")) as web:
        output = await check(f"127.0.0.1:{web.port}", kind="http", url=f"http://127.0.0.1:{web.port}/")
    assert (output.ok, output.metadata) == (ok, {"checked": "http", "status_code": status})


async def test_a_certificate_must_last(tmp_path: Path) -> None:
    async with web_server(lambda _head: b"", tls=CA.server(tmp_path)) as web:
        here = {"kind": "tls", "host": "127.0.0.1", "port": web.port}
        soon = await check(f"127.0.0.1:{web.port}", **here)
        enough = await check(f"127.0.0.1:{web.port}", **here, min_days=0)
    assert (soon.ok, enough.ok, enough.metadata["days"]) == (False, True, 0)
    assert "fewer than 14" in soon.text


async def test_a_port_that_is_closed_was_looked_at() -> None:
    output = await check("127.0.0.1:1", kind="tcp", host="127.0.0.1", port=1)
    assert (output.ok, output.metadata) == (False, {"checked": "tcp"})


async def test_an_address_inside_is_a_refusal_and_no_result() -> None:
    with pytest.raises(PolicyDeniedError):
        await check("127.0.0.1:2", kind="tcp", host="127.0.0.1", port=1)


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "http"},
        {"kind": "http", "url": "http://a.example/", "host": "b.example", "port": 80},
        {"kind": "tcp", "url": "http://a.example/"},
        {"kind": "tcp", "host": "a.example"},
        {"kind": "tcp", "host": "a.example/x", "port": 1},
        {"kind": "tls", "host": "u@a.example", "port": 1},
        {"kind": "http", "url": "http://good.example:x@169.254.169.254/"},
    ],
    ids=str,
)
def test_what_names_no_single_host_is_refused_before_policy(given: dict[str, object]) -> None:
    tool = EndpointCheck((), SystemClock())
    with pytest.raises(InvalidArgumentsError):
        tool.effects(EndpointCheckArgs.model_validate(given))


@dataclass
class Rules:
    error: Exception | None = None
    asked: list[tuple[RuleDraft, Principal]] = field(default_factory=list)

    async def add(self, draft: RuleDraft, by: Principal) -> AlertRule:
        self.asked.append((draft, by))
        if self.error is not None:
            raise self.error
        return RULE


def args(**more: object) -> CreateAlertArgs:
    given = {"name": "web", "target": "a:1", "check_type": "tcp", "cron_expression": "* * * * *", "channels": ["ops"]}
    return CreateAlertArgs.model_validate({**given, **more})


async def test_a_rule_is_made_for_whoever_the_call_is_made_for() -> None:
    rules = Rules()
    permit = replace(permit_for(Effects()), user="ann", source="repl")
    output = await CreateAlert(rules).run(args(n_of="2 of 3"), permit)
    ((draft, by),) = rules.asked
    assert (by.user, str(by.source), draft.n_of, draft.cooldown_seconds) == ("ann", "repl", "2 of 3", None)
    assert output.metadata == {
        "rule_id": "r1",
        "cron_expression": "* * * * *",
        "next_run_at": "1970-01-01T00:00:00.000Z",
        "channels": ["ops"],
        "enabled": True,
    }


async def test_what_cannot_be_made_is_told_and_nothing_is_made_for_nobody() -> None:
    permit = replace(permit_for(Effects()), user="ann", source="repl")
    output = await CreateAlert(Rules(ConflictError("there is one already"))).run(args(), permit)
    assert (output.ok, output.text) == (False, "Error: there is one already")
    nobody = Rules()
    assert not (await CreateAlert(nobody).run(args(), replace(permit, user=""))).ok
    assert nobody.asked == []


def test_it_declares_its_channels_and_refuses_impossible_dates() -> None:
    assert CreateAlert(Rules()).effects(args()).channels == ("ops",)
    with pytest.raises(InvalidArgumentsError):
        CreateAlert(Rules()).effects(args(cron_expression="0 0 31 2 *"))
