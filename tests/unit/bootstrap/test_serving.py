from __future__ import annotations

import pytest

from akili_cli.bootstrap.serving import _shown
from tests.fakes.gateway import gateway
from tests.integration.akili import Akili


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::", "localhost"), ("0.0.0.0", "localhost"), ("", "localhost")],
)
def test_a_url_names_something_that_can_be_called(host: str, shown: str) -> None:
    assert _shown(host) == shown


async def test_a_gateway_serves_what_is_open_and_what_needs_a_key(tmp_path: object) -> None:
    async with gateway(Akili(tmp_path)) as node, node.client() as ann:  # type: ignore[arg-type]  # a path
        assert (await ann.get("/healthz")).json() == {"status": "ok"}
        assert (await ann.get("/v1/runs")).json() == []
        nobody = await ann.get("/v1/runs", headers={"Authorization": "Bearer nobody-knows-this-key"})
        assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized")
        assert (await ann.get("/nowhere")).json()["code"] == "not_found"
        assert node.ticking.kinds == ("query",)
        fire = next(iter(node.ticking.stops))
        assert fire.name == "stopped queries"
