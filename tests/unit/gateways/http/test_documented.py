from __future__ import annotations

from akili_cli.gateways.http.documented import ALWAYS, Problem, documented, problems


def test_every_status_that_a_route_names_is_described_beside_those_of_all() -> None:
    found = problems(404, 409)
    assert set(found) == {404, 409, *ALWAYS}
    assert all(one["model"] is Problem and one["description"] for one in found.values())


def test_without_pages_there_is_neither_schema_nor_page() -> None:
    assert [getattr(one, "path", "") for one in documented(pages=False).routes] == []


def test_with_pages_keyed_routes_say_so_and_bodies_that_do_not_fit_are_400() -> None:
    app = documented(pages=True)

    @app.post("/v1/things", responses=problems(400))
    async def things(number: int) -> int:
        return number

    @app.get("/open")
    async def open_() -> int:
        return 1

    told = app.openapi()
    assert told["openapi"].startswith("3.1")
    assert told["paths"]["/v1/things"]["post"]["security"] == [{"key": []}]
    assert "422" not in told["paths"]["/v1/things"]["post"]["responses"]
    assert "security" not in told["paths"]["/open"]["get"]
    assert app.openapi() is told
