"""The console in a real browser, over a gateway with everything real but the model."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.fakes.gateway import KEYS, TOLD, Node, gateway
from tests.fakes.model_server import Call, ModelServer, Reply
from tests.integration.akili import Akili

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
_ROLES = TOLD["security"]["roles"]
_OPERATOR = {**_ROLES["operator"], "permissions": [*_ROLES["operator"]["permissions"], "approve"]}
MAY_APPROVE = {**TOLD["security"], "roles": {**_ROLES, "operator": _OPERATOR}}
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    return Akili(tmp_path)


@asynccontextmanager
async def page_of(node: Node, **context: Any) -> AsyncIterator[Page]:
    """Open the console; anything the browser complains about fails the test."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = await (await browser.new_context(**context)).new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        await page.goto(f"{node.url}/")
        try:
            yield page
        finally:
            await browser.close()
        assert complaints == []


async def sign_in(page: Page, key: str) -> None:
    await page.fill("#key", key)
    await page.press("#key", "Enter")


async def test_a_wrong_key_is_told_and_the_right_one_is_kept_nowhere(akili: Akili) -> None:
    async with gateway(akili) as node, page_of(node) as page:
        await sign_in(page, "akili_wrong")
        await expect(page.locator("#enter-error")).not_to_be_empty()
        await expect(page.locator("#console")).to_be_hidden()
        await sign_in(page, KEYS["ann"])
        await expect(page.locator("#state")).to_have_text("connected")
        kept = await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
        assert kept == [0, 0, "", f"{node.url}/"]
        await page.reload()
        await expect(page.locator("#enter")).to_be_visible()


async def test_a_held_call_is_seen_whole_ruled_on_and_its_run_goes_on_to_the_answer(akili: Akili) -> None:
    write = Call("file_write", {"path": "made.txt", "content": "one\u202etwo"})
    with ModelServer([Reply(tool_calls=(write,)), Reply("All written.")]) as model:
        async with gateway(akili, model.url, security=MAY_APPROVE) as node, page_of(node) as page:
            await sign_in(page, KEYS["ann"])
            await page.fill("#message", "write it")
            await page.press("#message", "Control+Enter")
            await expect(page.locator("#waiting")).to_have_text("1")
            await page.locator("#tab-runs").focus()
            await page.keyboard.press("2")
            card = page.locator("article.card")
            await expect(card).to_contain_text("made.txt")
            await expect(card).to_contain_text("one<U+202E>two")
            await page.keyboard.press("j")
            await expect(card).to_be_focused()
            await card.get_by_role("button", name="Approve once").click()
            await expect(page.locator("#approvals")).to_contain_text("Nothing waits for you.")
            await page.keyboard.press("1")
            await page.locator("#run-list button").click()
            await expect(page.locator("#run-view pre[aria-label=Answer]")).to_have_text("All written.")
            await expect(page.locator("#run-view")).to_contain_text("file_write")
    assert (akili.work / "made.txt").read_text() == "one\u202etwo"


async def test_a_denied_call_never_runs_and_its_run_says_so(akili: Akili) -> None:
    write = Call("file_write", {"path": "made.txt", "content": "x"})
    with ModelServer([Reply(tool_calls=(write,)), Reply("Then not.")]) as model:
        async with gateway(akili, model.url) as node, page_of(node) as page:
            await sign_in(page, KEYS["ann"])
            await page.fill("#message", "write it")
            await page.press("#message", "Control+Enter")
            await expect(page.locator("#waiting")).to_have_text("1")
            await page.click("#tab-approvals")
            await page.locator("article.card input").fill("not today")
            await page.get_by_role("button", name="Deny").click()
            await expect(page.locator("#approvals")).to_contain_text("Nothing waits for you.")
            await page.click("#tab-runs")
            await page.locator("#run-list button").click()
            await expect(page.locator("#run-view")).to_contain_text("not today")
    assert not (akili.work / "made.txt").exists()


async def test_every_section_shows_what_there_is_in_a_narrow_dark_window(akili: Akili) -> None:
    window = {"color_scheme": "dark", "viewport": {"width": 360, "height": 700}}
    async with gateway(akili) as node, page_of(node, **window) as page:
        await sign_in(page, KEYS["root"])
        await expect(page.locator("#state")).to_have_text("connected")
        await page.click("#tab-audit")
        await page.click("#verify")
        await expect(page.locator("#light")).to_contain_text("whole")
        await page.click("#tab-budget")
        await expect(page.locator("#budget-view")).to_contain_text("root: $0.0000 spent")
        await page.click("#tab-jobs")
        await expect(page.locator("#jobs")).to_contain_text("scheduler.enabled")
        await page.click("#tab-alerts")
        await expect(page.locator("#alerts")).to_contain_text("enabled")
        await expect(page.locator("#state")).to_have_text("connected")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
