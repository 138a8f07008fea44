from __future__ import annotations

from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, FireStatus
from akili_cli.domain.events import Event
from tests.fakes.http_app import Gateway
from tests.unit.features.queries.test_store import fire, put


async def filled(gateway: Gateway) -> None:
    for number, user in enumerate(("ann", "ben", "ann", "ann")):
        await gateway.app.state.db.write(lambda conn, n=number, u=user: put(conn, f"r{n}", u, float(n)))  # type: ignore[misc] # bound now
    await gateway.app.state.db.write(lambda conn: fires.end(conn, fire("r0"), Ended(status=FireStatus.OK), 9.0))


async def test_lists_are_ones_own_newest_first_in_pages(gateway: Gateway) -> None:
    await filled(gateway)
    ann = gateway.client_of("ann")
    first = await ann.get("/v1/runs?limit=2")
    assert [one["id"] for one in first.json()] == ["r3", "r2"]
    rest = await ann.get("/v1/runs", params={"limit": 2, "cursor": first.headers["X-Next-Cursor"]})
    assert [one["id"] for one in rest.json()] == ["r0"]
    assert "X-Next-Cursor" not in rest.headers
    assert [one["id"] for one in (await ann.get("/v1/runs?status=open")).json()] == ["r3", "r2"]
    assert len((await gateway.client_of("root").get("/v1/runs")).json()) == 4
    assert (await ann.get("/v1/runs?status=closed")).status_code == 400


async def test_a_run_shows_what_it_has_done_so_far(gateway: Gateway) -> None:
    await filled(gateway)
    gateway.desk.live.publish("r3", Event("tool.intent", {"tool": "x"}))
    gateway.desk.live.publish("r3", Event("tool.result", {"tool": "x", "status": "ok"}))
    body = (await gateway.client_of("ann").get("/v1/runs/r3")).json()
    assert (body["status"], body["run"], body["approvals"]) == ("running", None, [])
    assert body["steps"] == [{"tool": "x", "status": "ok"}]


async def test_somebody_elses_run_is_answered_like_none(gateway: Gateway) -> None:
    await filled(gateway)
    ann = gateway.client_of("ann")
    for path in ("r1", "r1/events", "none", "none/events"):
        assert (await ann.get(f"/v1/runs/{path}")).status_code == 404
    for path in ("r1/stop", "none/stop"):
        assert (await ann.post(f"/v1/runs/{path}")).status_code == 404
    assert (await ann.get("/v1/runs/r3/events", headers={"Last-Event-ID": "x"})).status_code == 400


async def test_a_stop_is_noted_once_and_leaves_what_has_ended_alone(gateway: Gateway) -> None:
    await filled(gateway)
    ann, root = gateway.client_of("ann"), gateway.client_of("root")
    assert (await root.post("/v1/runs/r3/stop")).json()["stopped_by"] == "root"
    ended = await ann.post("/v1/runs/r0/stop")
    assert (ended.status_code, ended.json()["stopped_by"], ended.json()["status"]) == (202, None, "ok")


async def test_a_secret_in_a_question_is_not_shown_in_lists(gateway: Gateway) -> None:
    gateway.app.state.redactor.register("why is the disk full?", "password")
    await filled(gateway)
    body = (await gateway.client_of("ann").get("/v1/runs/r3")).json()
    assert body["message"] == "[redacted:password]"


async def test_a_list_shows_the_beginning_of_a_long_message_and_one_run_all_of_it(gateway: Gateway) -> None:
    await filled(gateway)
    await gateway.app.state.db.write(
        lambda conn: conn.execute(
            "UPDATE queries SET draft = :d WHERE id = 'r3'", {"d": f'{{"message": "{"x" * 5000}"}}'}
        )
    )
    ann = gateway.client_of("ann")
    assert (await ann.get("/v1/runs")).json()[0]["message"] == "x" * 2000
    assert (await ann.get("/v1/runs/r3")).json()["message"] == "x" * 5000


async def test_a_path_with_one_slash_too_many_is_unknown_and_leads_nowhere(gateway: Gateway) -> None:
    for path in ("/v1/runs/", "/v1/cronjobs/"):
        answer = await gateway.client_of("ann").get(path, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.headers.get("location")) == (404, None)
