"""An hour of watching a run, in a minute: neither the page nor the server keeps more and more."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from dashboard_world import AFile, add_run, make_journal, opened
from playwright.async_api import Browser, CDPSession, expect

from browser.browser_world import settled, shown
from bulkup.journal import Lock
from bulkup.journal.database import open_for_writing

HOUR = 3600  # events: one each second
PAUSE = 0.005  # seconds between two of them here


def progress(number: int) -> dict[str, Any]:
    """Return the progress of a run after a number of seconds."""
    sending = [
        {"source": "/data", "path": f"reel/{number}-{one}.mp4", "size": 100, "sent": 7, "seconds": 1}
        for one in range(4)
    ]
    return {
        "run": f"{2:032x}",
        "state": "running",
        "elapsed": number,
        "files_done": number,
        "files_total": HOUR,
        "bytes_done": number * 1000,
        "bytes_total": HOUR * 1000,
        "total_known": True,
        "percent": number * 100 // HOUR,
        "eta": HOUR - number,
        "bytes_per_second": 1000 + number % 500,
        "files_per_second": 1,
        "concurrency": 16 + number % 9,
        "sending": sending,
        "workers": [
            {
                "name": f"node-{one}",
                "files": number,
                "bytes": 9,
                "bytes_per_second": 7,
                "in_flight": 4,
                "working": one < 2,
            }
            for one in range(3)
        ],
        "limits": {"concurrency": "auto", "bwlimit": None, "bytes_per_second": None},
    }


@contextlib.asynccontextmanager
async def quick_run(journal: Path) -> AsyncGenerator[asyncio.Event, None]:
    """Hold a journal as a run does, and send an hour of progress over its control socket; set the event at the end."""
    lock, over = Lock(str(journal)), asyncio.Event()
    await lock.acquire(wait=False, sleep=anyio.sleep)
    connection = open_for_writing(str(journal))
    add_run(connection, 2, None)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        with contextlib.suppress(OSError):
            for number in range(HOUR):
                writer.write(json.dumps({"ok": True, "progress": progress(number)}).encode() + b"\n")
                await writer.drain()
                await asyncio.sleep(PAUSE)
            over.set()
            await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(answer, f"{journal}.control")
    try:
        yield over
    finally:
        server.close()
        connection.close()
        lock.release()


@pytest.mark.slow
@pytest.mark.parametrize("view", ["overview", "run"])
async def test_an_hour_of_watching_keeps_no_more_and_more(browser: Browser, tmp_path: Path, view: str) -> None:
    files = [AFile(f"{number}.jpg".encode(), "it broke" if number < 9 else None) for number in range(200)]
    journal = make_journal(tmp_path / "nightly.sqlite3", files, runs=(0,))
    async with quick_run(journal) as over, opened(tmp_path) as client, shown(browser, client) as page:
        if view == "run":
            await page.locator("article.live").get_by_role("link").first.click()
        await settled(page)
        await expect(page.locator("article.live")).to_contain_text("left", timeout=30_000)
        tools = await page.context.new_cdp_session(page)
        await anyio.sleep(HOUR * PAUSE / 4)
        before, objects = await page_figures(tools), server_objects()
        with anyio.fail_after(600):
            await over.wait()
        after, more = await page_figures(tools), server_objects()
        assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 2 * 2**20, (before, after)
        assert after["Nodes"] < before["Nodes"] + 500, (before, after)
        assert after["JSEventListeners"] < before["JSEventListeners"] + 100, (before, after)
        assert more < objects + 5000, (objects, more)
        await expect(page.locator("article.live")).to_contain_text("99 %")
        if view == "run":
            lost = page.get_by_role("row").filter(has_text="node-2")
            await expect(lost).to_contain_text("Ended or lost")


async def page_figures(tools: CDPSession) -> dict[str, float]:
    """Return what the page keeps after its garbage was collected."""
    await tools.send("Performance.enable")
    for _ in range(2):
        await tools.send("HeapProfiler.collectGarbage")
    found = await tools.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}


def server_objects() -> int:
    """Return how many objects the process of the server keeps."""
    gc.collect()
    return len(gc.get_objects())
