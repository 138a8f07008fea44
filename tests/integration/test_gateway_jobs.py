"""Cron jobs over HTTP, against a gateway with everything real but the model."""

from __future__ import annotations

import asyncio

from tests.fakes.gateway import TOLD, gateway
from tests.fakes.model_server import ModelServer, Reply
from tests.integration.akili import Akili

ROLES = TOLD["security"]["roles"]
SECURITY = {**TOLD["security"], "roles": {**ROLES, "admin": {**ROLES["operator"], "max_risk_level": "critical"}}}


async def test_a_job_triggered_over_http_outlives_its_request_and_runs_once_as_the_requester(akili: Akili) -> None:
    draft = {"name": "nightly", "cron_expression": "0 3 * * *", "goal": "look", "budget_limit_usd": 0.5}
    with ModelServer([Reply("looked")]) as model:
        async with (
            gateway(akili, model.url, scheduler={"enabled": True}, security=SECURITY) as node,
            node.client() as ann,
        ):
            job = (await ann.post("/v1/cronjobs", json=draft)).json()
            path, key = f"/v1/cronjobs/{job['id']}", {"Idempotency-Key": "now"}
            async with node.client("root") as root:
                begun, again = await asyncio.gather(*(root.post(f"{path}/trigger", headers=key) for _ in range(2)))
                assert {begun.status_code, again.status_code} <= {202, 409}
                while (runs := (await root.get(f"{path}/history")).json())[0]["status"] == "running":
                    await asyncio.sleep(0.02)
            assert [(run["status"], run["user_id"], run["summary"]) for run in runs] == [("ok", "root", "looked")]
            after = (await ann.get(path)).json()
            assert (after["last_run_id"], after["last_error"]) == (runs[0]["run_id"], "")
            async with node.client("ben") as ben:
                assert (await ben.post(f"{path}/trigger")).status_code == 404
    assert len(model.requests) == 1
