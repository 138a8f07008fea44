from __future__ import annotations

import re
from importlib.resources import files

import httpx
import pytest
from fastapi import FastAPI

from akili_cli.gateways.http.routes import console


async def _get(path: str) -> httpx.Response:
    app = FastAPI()
    app.include_router(console.router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return await client.get(path)


@pytest.mark.parametrize(("path", "kind"), [("/", "text/html"), *((f"/{n}", k) for n, k in console.FILES.items())])
async def test_each_file_comes_with_its_type_and_a_strict_policy(path: str, kind: str) -> None:
    answer = await _get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind.partition(";")[0])
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/console.py", "/../app.py", "/%2e%2e/app.py", "/console/index.html", "/index.htm"])
async def test_nothing_else_is_served(path: str) -> None:
    assert (await _get(path)).status_code == 404


def test_the_page_holds_no_inline_code_no_foreign_address_and_never_writes_html() -> None:
    folder = files("akili_cli.gateways.http").joinpath("console")
    page = folder.joinpath("index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=|https?://", page)
    for name in ("api.js", "console.js", "view.js"):
        text = folder.joinpath(name).read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://", text
        )
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text), "the key stays in memory"


def test_every_file_of_the_folder_is_served() -> None:
    folder = files("akili_cli.gateways.http").joinpath("console")
    assert {one.name for one in folder.iterdir()} == set(console.FILES)
