"""Every route of the gateway: what one user made, no other user sees or changes, and a wrong id is answered alike.

A new route fails here until it has a line: how to make a thing of ann's that it is about, or why it is about nobody's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as field_of
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.storage.schema import table_names
from akili_cli.domain.calls import Principal, Run, Source, ToolCall
from akili_cli.domain.ids import new_uuid
from akili_cli.features.queries.model import QueryDraft
from tests.fakes.http_app import ROLE, WORKS, Gateway, open_gateway

MARK = "anns-own-words"
"""In everything that ann makes: nobody else's answer may hold it."""

ANN = Principal("ann", Source.HTTP)
OTHERS = ("ben", "vic")
Body = dict[str, Any] | None
Make = Callable[[Gateway], Awaitable[str]]
NOTES = {"audit_events", "audit_streams", "idempotency_keys", "api_keys", "nodes", "meta"}
"""Tables of akili's own notes: an attempt may be written down."""


async def cron_job(gateway: Gateway) -> str:
    draft = {"name": f"{MARK} job", "cron_expression": "0 3 * * *", "goal": MARK}
    return await made(gateway, "/v1/cronjobs", draft)


async def channel(gateway: Gateway) -> str:
    name = f"{MARK}-channel"
    known = (await gateway.client_of("ann").get("/v1/notification-channels", params={"name": name})).json()
    if known:
        return str(known[0]["id"])
    draft = {"name": name, "channel_type": "webhook", "config": {"url": f"https://x.example/{MARK}"}}
    return await made(gateway, "/v1/notification-channels", draft)


async def alert(gateway: Gateway) -> str:
    await channel(gateway)
    draft = {"name": f"{MARK} rule", "target": f"{MARK}.example:80", "check_type": "tcp"}
    draft |= {"cron_expression": "0 3 * * *"}
    return await made(gateway, "/v1/alerts", {**draft, "channels": [f"{MARK}-channel"]})


async def made(gateway: Gateway, path: str, draft: dict[str, Any]) -> str:
    answer = await gateway.client_of("ann").post(path, json=draft)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def held(gateway: Gateway) -> str:
    """A call of ann's that waits for an approval."""
    step = await gateway.app.pipeline.run(call(), run())
    assert step.approval_id is not None, step
    return step.approval_id


async def plan(gateway: Gateway) -> str:
    planned = run(plan=True)
    await gateway.app.pipeline.run(call(), planned)
    sealed = await gateway.app.approvals.plans.seal(planned, MARK)
    assert sealed is not None
    return sealed.id


async def conversation(gateway: Gateway) -> str:
    assert gateway.app.history is not None
    return await gateway.app.history.create("ann")


async def question(gateway: Gateway) -> str:
    """A run of ann's that has ended."""
    query = await gateway.desk.queries.ask(QueryDraft(message=MARK), ANN, "c" * 16)
    while not query.ended:
        await asyncio.sleep(0.01)
        query = await gateway.desk.queries.get(query.id, ANN)
    return query.id


async def task(gateway: Gateway) -> str:
    """A heartbeat task that runs as ann; its file is there from the beginning."""
    await gateway.desk.heartbeats.sync(Principal("root", Source.CLI))
    return f"{MARK}-task"


async def change(gateway: Gateway) -> str:
    """A file that ann's call has changed."""
    place = gateway.app.state.start.cwd / f"{MARK}.txt"
    place.write_text("before")
    written = {"path": str(place), "content": "after"}
    step = await gateway.app.pipeline.run(ToolCall(new_uuid(), "file_write", written), run())
    assert str(step.status) == "ok", step
    return (await gateway.desk.journal.listing("ann", 1))[0].id


def call() -> ToolCall:
    return ToolCall(new_uuid(), "shell_exec", {"command": f"echo {MARK}"})


def run(**more: Any) -> Run:
    return Run(id=new_uuid(), principal=ANN, correlation_id="c" * 16, **more)


@dataclass(frozen=True)
class Item:
    """About one thing: ``make`` gives its id, which stands in the path or in ``body`` for ``ID``.

    Others get 404, or one of ``also`` when they may not even try; always what they get for an id that there is not.
    """

    make: Make
    body: Body = None
    also: tuple[int, ...] = ()


@dataclass(frozen=True)
class Listed:
    """About many: what the makers make is not in others' answers, and is in ann's (unless ``shown`` says otherwise)."""

    makers: tuple[Make, ...]
    shown: bool = True
    body: Body = None
    statuses: tuple[int, ...] = (200,)


@dataclass(frozen=True)
class Nobodys:
    """About nothing that anybody made."""

    why: str


@dataclass
class Found:
    wrong: list[str] = field_of(default_factory=list)

    def see(self, good: bool, what: str) -> None:
        if not good:
            self.wrong.append(what)


ID = "{id}"
NO_WORKFLOWS = Nobodys("there are no workflows yet: it answers the same to everybody")
MAY_NOT = (403,)
LINES: dict[str, Item | Listed | Nobodys] = {
    "POST /v1/cronjobs": Nobodys("makes one of the caller's own"),
    "GET /v1/cronjobs": Listed((cron_job,)),
    "GET /v1/cronjobs/{job_id}": Item(cron_job),
    "PUT /v1/cronjobs/{job_id}": Item(cron_job, {"goal": "theirs now"}, MAY_NOT),
    "DELETE /v1/cronjobs/{job_id}": Item(cron_job, also=MAY_NOT),
    "POST /v1/cronjobs/{job_id}/trigger": Item(cron_job, also=MAY_NOT),
    "GET /v1/cronjobs/{job_id}/history": Item(cron_job),
    "GET /v1/cronjobs/{job_id}/next": Item(cron_job),
    "POST /v1/alerts": Nobodys("makes one of the caller's own"),
    "GET /v1/alerts": Listed((alert,)),
    "GET /v1/alerts/{rule_id}": Item(alert),
    "PUT /v1/alerts/{rule_id}": Item(alert, {"description": "theirs now"}, MAY_NOT),
    "DELETE /v1/alerts/{rule_id}": Item(alert, also=MAY_NOT),
    "POST /v1/alerts/{rule_id}/test": Item(alert, also=MAY_NOT),
    "POST /v1/alerts/{rule_id}/mute": Item(alert, {"duration": "1h"}, MAY_NOT),
    "DELETE /v1/alerts/{rule_id}/mute": Item(alert, also=MAY_NOT),
    "GET /v1/alerts/{rule_id}/history": Item(alert),
    "POST /v1/notification-channels": Nobodys("makes one of the caller's own"),
    "GET /v1/notification-channels": Listed((channel,)),
    "GET /v1/notification-channels/{channel_id}": Item(channel),
    "PUT /v1/notification-channels/{channel_id}": Item(channel, {"enabled": False}, MAY_NOT),
    "DELETE /v1/notification-channels/{channel_id}": Item(channel, also=MAY_NOT),
    "POST /v1/notification-channels/{channel_id}/test": Item(channel),
    "POST /v1/query": Nobodys("asks a question of the caller's own"),
    "POST /v1/query/stream": Nobodys("asks a question of the caller's own"),
    "GET /v1/runs": Listed((question,)),
    "GET /v1/runs/{run_id}": Item(question),
    "GET /v1/runs/{run_id}/events": Item(question),
    "POST /v1/runs/{run_id}/stop": Item(question),
    "GET /v1/approvals": Listed((held,)),
    "GET /v1/approvals/{approval_id}": Item(held),
    "POST /v1/approve": Item(held, {"approval_id": ID, "decision": "approve"}),
    "POST /v1/approvals/{approval_id}/approve": Item(held),
    "POST /v1/approvals/{approval_id}/deny": Item(held),
    "GET /v1/plans/{plan_id}": Item(plan),
    "POST /v1/plans/{plan_id}/apply": Item(plan),
    "POST /v1/plans/{plan_id}/deny": Item(plan),
    "GET /v1/conversations": Listed((conversation,), shown=False),
    "GET /v1/conversations/{conversation_id}": Item(conversation),
    "DELETE /v1/conversations/{conversation_id}": Item(conversation),
    "GET /v1/audit": Listed((cron_job, held)),
    "POST /v1/audit/verify": Nobodys("for admins; it tells numbers only"),
    "GET /v1/budget": Listed((question,), shown=False),
    "GET /v1/heartbeats": Listed((task,)),
    "GET /v1/heartbeats/{task}": Item(task),
    "GET /v1/heartbeats/{task}/history": Item(task),
    "POST /v1/heartbeats/{task}/run": Item(task),
    "GET /v1/runbooks": Nobodys("files of the node, the same for everybody"),
    "GET /v1/runbooks/{name}": Nobodys("files of the node, the same for everybody"),
    "POST /v1/runbooks/{name}/run": Nobodys("plays one as the caller"),
    "POST /v1/policy/explain": Nobodys("says what policy would rule, and does nothing"),
    "GET /v1/undo": Listed((change,)),
    "POST /v1/undo/{entry_id}": Item(change),
    "POST /v1/workflows": NO_WORKFLOWS,
    "GET /v1/workflows/{workflow_id}": NO_WORKFLOWS,
    "POST /v1/workflows/{workflow_id}/cancel": NO_WORKFLOWS,
    "GET /v1/workflows/{workflow_id}/tasks": NO_WORKFLOWS,
    "POST /v1/webhooks/{name}": Nobodys("begins runs of the webhook's own user, and no key opens it"),
    "GET /v1/healthz": Nobodys("says that the gateway is there"),
}
OPEN = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/", "/index.html", "/healthz", "/readyz")
"""Paths outside /v1 that need no key; the console's files are as public as the page."""

UNKNOWN = {36: "00000000-0000-4000-8000-000000000000", 32: "0" * 32, 16: "0" * 16}


def routes_of(routes: Iterable[Any]) -> Iterable[tuple[str, str]]:
    """Go through the methods and paths of every route, those of routers within routers included."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes)
        elif isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods))


@pytest.fixture
async def gateway(tmp_path: Path) -> Any:
    tasks = tmp_path / "tasks"
    tasks.mkdir(mode=0o700)
    head = f'---\nname: group\nuser_id: ann\ndefault_cron: "0 3 * * *"\n---\n## Quick\n### {MARK}-task\n{MARK}\n'
    (tasks / "group.md").write_text(head)
    works = [name for name in WORKS if name != "approve"]  # who may approve sees what waits for it
    worker = {**ROLE, "permissions": [*works, "write_files"], "require_approval": ["shell_exec"]}
    told = {
        "security.roles": {
            "operator": worker,
            "viewer": {**ROLE, "permissions": ["read_files"], "max_risk_level": "low"},
            "admin": {**worker, "permissions": [*WORKS, "write_files"], "max_risk_level": "critical"},
        },
        "heartbeat_tasks.enabled": True,
        "heartbeat_tasks.tasks_dirs": (str(tasks),),
        "tools.file.allowed_paths": (str(tmp_path),),
    }
    async with open_gateway(tmp_path, told) as opened:
        yield opened


def test_every_route_has_a_line_that_says_whose_its_things_are(gateway: Gateway) -> None:
    found = {f"{method} {path}" for method, path in routes_of(gateway.api.routes) if path.startswith("/v1")}
    missing, gone = found - set(LINES), set(LINES) - found - {"GET /v1/healthz"}
    assert not missing, f"give these a line in {__file__}: {sorted(missing)}"
    assert not gone, f"these routes are gone, or were renamed: {sorted(gone)}"


def test_nothing_outside_v1_is_about_anybodys_things(gateway: Gateway) -> None:
    outside = {path for _, path in routes_of(gateway.api.routes) if not path.startswith("/v1")}
    assert {path for path in outside if path not in OPEN and not path.endswith((".css", ".js"))} == set()


async def test_no_route_answers_without_a_key(gateway: Gateway) -> None:
    nobody = gateway.client_of("ann")
    for line in LINES:
        method, path = line.split()
        answer = await nobody.request(method, path.replace("{", "").replace("}", ""), headers={"Authorization": ""})
        assert answer.status_code == 401, line
        assert set(answer.json()) == {"error", "code", "hint", "correlation_id"}


async def test_a_thing_of_somebody_elses_is_answered_as_one_that_there_is_not_and_stays_as_it_is(
    gateway: Gateway,
) -> None:
    found = Found()
    known: dict[Make, str] = {}
    for line, item in LINES.items():
        if not isinstance(item, Item):
            continue
        if item.make not in known:
            known[item.make] = await item.make(gateway)
        thing = known[item.make]
        for user in OTHERS:
            before = await everything(gateway)
            theirs = await asked(gateway, user, line, thing, item.body)
            unknown = await asked(gateway, user, line, UNKNOWN.get(len(thing), "none-such"), item.body)
            found.see(theirs[0] in (404, *item.also), f"{line}: {user} got {theirs}")
            found.see(theirs == unknown, f"{line}: {user} can tell {theirs} from {unknown}")
            found.see(await everything(gateway) == before, f"{line}: {user} changed something")
    assert found.wrong == [], "\n".join(found.wrong)


async def test_an_admin_is_let_near_what_belongs_to_others(gateway: Gateway) -> None:
    for make, path in ((cron_job, "cronjobs"), (alert, "alerts"), (channel, "notification-channels")):
        thing = await make(gateway)
        root = gateway.client_of("root")
        assert (await root.get(f"/v1/{path}/{thing}")).json()["user_id"] == "ann"
        assert thing in {one["id"] for one in (await root.get(f"/v1/{path}")).json()}
        changed = await root.put(f"/v1/{path}/{thing}", json={"enabled": False})
        assert (changed.status_code, changed.json()["user_id"]) == (200, "ann")
        assert (await root.delete(f"/v1/{path}/{thing}")).status_code == 200


async def test_lists_hold_what_is_ones_own(gateway: Gateway) -> None:
    found = Found()
    done: set[Make] = set()
    for line, listed in LINES.items():
        if not isinstance(listed, Listed):
            continue
        for make in listed.makers:
            if make not in done:
                await make(gateway)
                done.add(make)
        method, path = line.split()
        for user in ("ann", *OTHERS):
            answer = await gateway.client_of(user).request(method, path)
            found.see(answer.status_code in listed.statuses, f"{line}: {user} got {answer.status_code} {answer.text}")
            holds = MARK in answer.text
            found.see(holds is (user == "ann") or (user == "ann" and not listed.shown), f"{line}: {user} sees {holds}")
            if user != "ann" and isinstance(answer.json(), list) and line != "GET /v1/audit":
                found.see(answer.json() == [], f"{line}: {user} has made nothing and sees {answer.text[:200]}")
    assert found.wrong == [], "\n".join(found.wrong)


async def test_whoever_may_only_look_makes_nothing(gateway: Gateway) -> None:
    before = await everything(gateway)
    drafts: dict[str, dict[str, Any]] = {
        "/v1/cronjobs": {"name": "x", "cron_expression": "0 3 * * *", "goal": "x"},
        "/v1/alerts": {
            "name": "x",
            "target": "x.example:80",
            "check_type": "tcp",
            "cron_expression": "0 3 * * *",
            "channels": ["x"],
        },
        "/v1/notification-channels": {"name": "x", "channel_type": "webhook", "config": {"url": "https://x.example/"}},
    }
    for path, draft in drafts.items():
        answer = await gateway.client_of("vic").post(path, json=draft)
        assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
    assert await everything(gateway) == before


async def test_a_channel_of_somebody_elses_cannot_be_named_and_one_of_an_admin_can(gateway: Gateway) -> None:
    await channel(gateway)
    hook = {"name": "shared", "channel_type": "webhook", "config": {"url": "https://shared.example/"}}
    assert (await gateway.client_of("root").post("/v1/notification-channels", json=hook)).status_code == 201
    ben = gateway.client_of("ben")
    rule = {"name": "x", "target": "x.example:80", "check_type": "tcp", "cron_expression": "0 3 * * *"}
    job = {"name": "x", "cron_expression": "0 3 * * *", "goal": "x"}
    for name, status in ((f"{MARK}-channel", 400), ("no-such-channel", 400), ("shared", 201)):
        answers = [
            await ben.post("/v1/alerts", json={**rule, "channels": [name]}),
            await ben.post("/v1/cronjobs", json={**job, "notify": [name]}),
        ]
        for answer in answers:
            assert answer.status_code == status, answer.text
            if status == 400:
                assert answer.json()["error"] == f"there is no channel {name!r}"
    mine = (await ben.get("/v1/cronjobs")).json()[0]["id"]
    refused = await ben.put(f"/v1/cronjobs/{mine}", json={"notify": [f"{MARK}-channel"]})
    assert refused.status_code == 400


async def asked(gateway: Gateway, user: str, line: str, thing: str, body: Body) -> tuple[int, str]:
    """Ask as a user; give the status and what was said, without what names the thing or the request."""
    method, path = line.split()
    start, _, rest = path.partition("{")
    where = path if not rest else start + thing + rest.partition("}")[2]
    sent = None if body is None else json.loads(json.dumps(body).replace(ID, thing))
    answer = await gateway.client_of(user).request(method, where, json=sent)
    told = dict(answer.json())
    told.pop("correlation_id", None)
    said = json.dumps(told).replace(thing, ID).replace(thing[:8], ID)
    assert MARK not in said
    return answer.status_code, said


async def everything(gateway: Gateway) -> str:
    """Give every row there is, but for akili's own notes."""

    def dump(connection: Connection) -> str:
        tables = [name for name in table_names() if name not in NOTES]
        return json.dumps({name: connection.execute(f"SELECT * FROM {name}") for name in tables}, default=str)

    return await gateway.app.state.db.read(dump)
