"""Pages of the dashboard in a real browser, for its tests and its pictures."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Literal

from axe_playwright_python.base import AXE_FILE_PATH
from dashboard_world import Page as Client
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

Scheme = Literal["light", "dark"]
WIDE, PHONE = (1280, 900), (390, 844)
_FRAME_MS = 15_000


@contextlib.asynccontextmanager
async def shown(
    browser: Browser,
    client: Client,
    address: str = "#/",
    *,
    scheme: Scheme = "light",
    size: tuple[int, int] = WIDE,
    allowed: tuple[str, ...] = (),
) -> AsyncGenerator[Page, None]:
    """Open a view of the dashboard. Fails if the page has an error, or asks another host.

    Messages of the console that contain one of the texts in `allowed` are expected.
    """
    context = await browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", locale="en-GB"
    )
    errors, foreign = list[str](), list[str]()

    def on_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in allowed):
            errors.append(message.text)

    def on_request(request: Request) -> None:
        if not request.url.startswith((client.url, "data:")):
            foreign.append(request.url)

    page = await context.new_page()
    page.set_default_timeout(_FRAME_MS)
    page.on("console", on_message)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", on_request)
    await page.goto(f"{client.url}#token={client.token}")
    await page.wait_for_selector("#link.live")
    if address != "#/":
        await page.evaluate("address => { location.hash = address }", address)
    yield page
    await context.close()
    assert errors == []
    assert foreign == []


async def settled(page: Page) -> None:
    """Wait until the view has its content: no skeleton is left, and no list is being loaded."""
    await expect(page.locator("main .bone, main [aria-busy]")).to_have_count(0, timeout=_FRAME_MS)


async def violations(page: Page) -> list[str]:
    """Return the rules of accessibility that a page breaks, each with the elements concerned.

    The policy of the page blocks the library's own call, so the browser's tools evaluate its script.
    """
    with open(AXE_FILE_PATH, encoding="utf-8") as file:
        await page.evaluate(file.read())
    found: dict[str, Any] = await page.evaluate("async () => await axe.run()")
    return [f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}" for one in found["violations"]]


async def overflows(page: Page) -> bool:
    """Return whether the page is wider than its window."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
