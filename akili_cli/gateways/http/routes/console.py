"""The console: one static page over the same REST and event streams as everybody else uses."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)
FILES = {
    "index.html": "text/html; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
}
"""The page's files and their types: nothing else is served."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _serve(path: str, name: str) -> None:
    async def part() -> Response:
        content = files("akili_cli.gateways.http").joinpath("console", name).read_bytes()
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return Response(content, media_type=FILES[name], headers=headers)

    router.add_api_route(path, part, methods=["GET"])


_serve("/", "index.html")
for _name in FILES:
    _serve(f"/{_name}", _name)
