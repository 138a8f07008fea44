"""What the API says of itself is true: generated requests, good and bad, get what the document says they may get."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fakes.http_app import Gateway, open_gateway

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
GOOD, BAD = 4, 3
"""Requests of each kind for each operation."""

MAKES = {
    "job_id": ("/v1/cronjobs", {"cron_expression": "0 3 * * *", "goal": "look"}),
    "rule_id": (
        "/v1/alerts",
        {"target": "127.0.0.1:9", "check_type": "tcp", "cron_expression": "0 3 * * *", "channels": ["ops"]},
    ),
    "channel_id": (
        "/v1/notification-channels",
        {"channel_type": "webhook", "config": {"url": "https://127.0.0.1:9/"}},
    ),
}
UNBUILT = {"submit_workflow", "get_workflow", "cancel_workflow", "list_workflow_tasks"}
"""Answered 501 to everybody, and documented so."""


class Api:
    """A gateway whose loop runs whenever it is asked something."""

    def __init__(self, runner: asyncio.Runner, gateway: Gateway) -> None:
        self._runner = runner
        self.gateway = gateway
        self.count = 0

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asking() -> httpx.Response:
            return await self.gateway.client_of("root").request(method, path, **more)

        return self._runner.run(asking())

    def thing(self, name: str) -> str:
        """Make something that a path can be about."""
        self.count += 1
        if name == "conversation_id":
            assert self.gateway.app.history is not None
            return self._runner.run(self.gateway.app.history.create("root"))
        if name == "run_id":
            return str(self.ask("POST", "/v1/query", json={"message": "nothing fits this"}).json()["run_id"])
        if name in MAKES:
            path, draft = MAKES[name]
            return str(self.ask("POST", path, json={"name": f"made-{self.count}", **draft}).json()["id"])
        return {"name": "disk-check", "task": "task"}.get(name, "0" * 32)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    directory: Path = tmp_path_factory.mktemp("openapi")
    tasks = directory / "tasks"
    tasks.mkdir(mode=0o700)
    (tasks / "group.md").write_text('---\nname: group\ndefault_cron: "0 3 * * *"\n---\n## Quick\n### task\nlook\n')
    told = {"heartbeat_tasks.enabled": True, "heartbeat_tasks.tasks_dirs": (str(tasks),)}
    with asyncio.Runner() as runner:
        opening = open_gateway(directory, told)
        gateway = runner.run(opening.__aenter__())
        opened = Api(runner, gateway)
        opened.ask("POST", "/v1/notification-channels", json={"name": "ops", **MAKES["channel_id"][1]})
        yield opened
        runner.run(opening.__aexit__(None, None, None))


def sent(api: Api, case: schemathesis.Case) -> httpx.Response:
    """Send a generated request; what no HTTP client can send at all is not sent."""
    told = case.as_transport_kwargs(base_url="http://gateway.test")
    headers = {name: value for name, value in dict(told["headers"]).items() if name.lower() not in ("authorization",)}
    content = told.get("data")
    if "json" in told:
        content = json.dumps(told["json"]).encode()
        headers["Content-Type"] = "application/json"
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    return api.ask(
        told["method"],
        told["url"],
        params=told.get("params"),
        headers={name.encode(): str(value).encode("latin-1", "replace") for name, value in headers.items()},
        content=content if isinstance(content, bytes) else None,
    )


def tried(api: Api, operation: Any, mode: GenerationMode, examples: int, wrong: set[str]) -> None:
    name = operation.definition.raw.get("operationId", operation.label)
    turn = 0

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: schemathesis.Case) -> None:
        nonlocal turn
        turn += 1
        if turn % 2 and mode is GenerationMode.POSITIVE:
            for parameter in case.path_parameters or {}:
                case.path_parameters[parameter] = api.thing(parameter)
        answer = sent(api, case)
        request = f"{answer.request.method} {answer.request.url} {answer.request.content[:200]!r}"
        if answer.status_code >= 500 and not (answer.status_code == 501 and name in UNBUILT):
            wrong.add(f"{name}: {answer.status_code} to {request}: {answer.text[:300]}")
            return
        if mode is GenerationMode.NEGATIVE and answer.status_code in (401, 403, 404, 405, 415):
            return  # a part of the path that does not fit is another path, or none
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            said = " | ".join(f"{one.title}: {one.message}" for one in group.exceptions)
            wrong.add(f"{name}: {answer.status_code} to {request}: {said[:500]}: {answer.text[:200]}")

    try:
        once()
    except Exception as error:  # what could not even be generated is told with the others
        wrong.add(f"{name}: {type(error).__name__}: {str(error)[:300]}")


@pytest.mark.timeout(120)
def test_every_operation_answers_as_the_document_says(api: Api) -> None:
    document = api.ask("GET", "/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    wrong: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path.startswith("/v1/"):
                tried(api, operation, GenerationMode.POSITIVE, GOOD, wrong)
                tried(api, operation, GenerationMode.NEGATIVE, BAD, wrong)
    assert not wrong, "\n\n".join(sorted(wrong))


def test_the_document_tells_of_every_operation_its_key_and_what_may_go_wrong(api: Api) -> None:
    document = api.ask("GET", "/openapi.json").json()
    names = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if not path.startswith("/v1/"):
                continue
            names.append(operation["operationId"])
            assert operation["summary"], path
            if operation["operationId"] not in UNBUILT:
                assert {"401", "429", "500", "503"} <= set(operation["responses"]), path
                assert "422" not in operation["responses"], path
    assert len(set(names)) == len(names)
    for name in ("NewCronJob", "CronJobChange", "NewAlert", "AlertChange", "NewChannel", "ChannelChange"):
        assert document["components"]["schemas"][name]["examples"], name
        assert document["components"]["schemas"][name]["additionalProperties"] is False
