"""Runs under way on the dashboard's page, in a real browser: their state, and the forms that change them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from dashboard_world import AFile, add_run, make_journal, opened
from playwright.async_api import Browser, Page, expect

from browser.browser_world import settled, shown, violations
from bulkup.api.control.control_messages import Request
from bulkup.api.control.control_server import serving
from bulkup.api.control.progress_message import progress_object
from bulkup.dashboard.journal_list import journal_id
from bulkup.errors import UsageError
from bulkup.journal import Lock
from bulkup.journal.database import open_for_writing
from bulkup.model.progress import Progress, RunState

NIGHT = {"files": {"found": 10, "uploaded": 7, "failed": 3}}


class MadeRun:
    """A run under way that keeps what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.state = "running"
        self.scan_done = False

    def stop(self, at_once: bool) -> None:
        raise AssertionError(at_once)

    def progress(self) -> dict[str, Any]:
        progress = Progress(
            run=f"{3:032x}",
            elapsed=9.0,
            files_done=400,
            files_total=20_000,
            bytes_done=400,
            bytes_total=20_000,
            total_known=True,
            percent=2,
            state=cast("RunState", self.state),
            scan_done=self.scan_done,
            concurrency=16,
        )
        limits = {"concurrency": "auto", "bwlimit": None, "bytes_per_second": None}
        return {**progress_object(progress), "limits": limits}

    def carry_out(self, request: Request) -> dict[str, Any]:
        self.asked.append((request.do, request.value))
        if request.value == "fast":
            raise UsageError("bwlimit: expected a rate, not 'fast'", hint="such as 20M")
        self.state = {"pause": "paused", "resume": "running", "stop": "stopping"}.get(request.do, self.state)
        return {"ok": True, "progress": self.progress()}


@contextlib.asynccontextmanager
async def under_way(folder: Path) -> AsyncIterator[tuple[Path, MadeRun]]:
    """Begin a run of a journal, and yield what answers for it."""
    journal = make_journal(folder / "nightly.sqlite3", [AFile(b"a.jpg")], runs=(0, 1))
    lock, made = Lock(str(journal)), MadeRun()
    await lock.acquire(wait=False, sleep=anyio.sleep)
    with contextlib.closing(open_for_writing(str(journal))) as connection:
        add_run(connection, 3, None)
    try:
        async with serving(str(journal), made):
            yield journal, made
    finally:
        lock.release()


def run_address(journal: Path, number: int) -> str:
    return f"#/j/{journal_id(str(journal))}/run/{number:032x}"


async def asked(page: Page, made: MadeRun, *expected: tuple[str, Any]) -> None:
    """Wait for the last answer of the run, and check all that it was asked."""
    await expect(page.locator("article.live .note")).not_to_have_text("Asking the run …")
    assert made.asked == list(expected)


@pytest.mark.slow
async def test_the_stop_of_a_run_is_confirmed(browser: Browser, tmp_path: Path) -> None:
    async with (
        under_way(tmp_path) as (journal, made),
        opened(tmp_path) as client,
        shown(browser, client, run_address(journal, 3)) as page,
    ):
        dialog = page.get_by_role("dialog", name="Stop this run?")
        await page.get_by_role("button", name="Stop …").click()
        await expect(dialog).to_be_visible()
        assert await violations(page) == []
        await dialog.get_by_role("button", name="Keep it running").click()
        await expect(dialog).to_be_hidden()
        await page.get_by_role("button", name="Stop …").click()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        assert made.asked == []
        await page.get_by_role("button", name="Stop …").click()
        await dialog.get_by_role("button", name="Stop the run").click()
        await expect(dialog).to_be_hidden()
        await expect(page.locator("article.live .badge")).to_have_text("Stopping")
        await expect(page.locator(".head .badge")).to_have_text("Stopping")
        await expect(page.get_by_role("button", name="Pause")).to_be_disabled()
        await expect(page.get_by_text("The run stops after the files that are being sent.").first).to_be_visible()
        await asked(page, made, ("stop", None))


@pytest.mark.slow
async def test_bandwidth_and_workers_are_set(browser: Browser, tmp_path: Path) -> None:
    async with (
        under_way(tmp_path) as (journal, made),
        opened(tmp_path) as client,
        shown(browser, client, run_address(journal, 3), allowed=("409",)) as page,
    ):
        note = page.locator("article.live .note")
        limit, workers = page.get_by_label("Bandwidth, such as 20M"), page.get_by_label("Workers", exact=True)
        await limit.fill(" 5M ")
        await page.get_by_role("button", name="Set").first.click()
        await expect(note).to_have_text("The bandwidth is limited to 5M.")
        await limit.fill("fast")
        await limit.press("Enter")
        await expect(note).to_contain_text("bwlimit: expected a rate")
        await limit.fill("")
        await limit.press("Enter")
        await expect(note).to_have_text("The bandwidth has no limit.")
        await workers.fill("8")
        await page.get_by_role("button", name="Set").last.click()
        await expect(note).to_have_text("The run uses 8 workers.")
        await workers.fill("")
        await workers.press("Enter")
        await expect(note).to_have_text("The run chooses the number of workers itself.")
        limits = [("bwlimit", "5M"), ("bwlimit", "fast"), ("bwlimit", None)]
        await asked(page, made, *limits, ("concurrency", 8), ("concurrency", "auto"))


@pytest.mark.slow
async def test_a_paused_run_is_called_so_everywhere(browser: Browser, tmp_path: Path) -> None:
    async with (
        under_way(tmp_path) as (journal, made),
        opened(tmp_path) as client,
        shown(browser, client, run_address(journal, 3)) as page,
    ):
        await expect(page.locator(".head .badge")).to_have_text("Running")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator(".head .badge")).to_have_text("Paused")
        await expect(page.locator("article.live .badge")).to_have_text("Paused")
        await expect(page.get_by_role("button", name="Resume")).to_be_enabled()
        await asked(page, made, ("pause", None))
        for address in ("#/", f"#/j/{journal_id(str(journal))}", f"#/j/{journal_id(str(journal))}/failures"):
            await page.evaluate("address => { location.hash = address }", address)
            await settled(page)
            await expect(page.locator("main .badge").filter(has_text="Paused").first).to_be_visible()
            await expect(page.locator("main .badge").filter(has_text="Running")).to_have_count(0)


@pytest.mark.slow
async def test_a_counted_number_is_not_called_found(browser: Browser, tmp_path: Path) -> None:
    """A stopped run has found fewer files than were counted ahead of it."""
    async with (
        under_way(tmp_path) as (journal, made),
        opened(tmp_path) as client,
        shown(browser, client, run_address(journal, 3)) as page,
    ):
        await expect(page.locator("article.live .figures")).to_contain_text("of 20,000 files counted")
        made.scan_done = True
        await expect(page.locator("article.live .figures")).not_to_contain_text("counted")
        with contextlib.closing(open_for_writing(str(journal))) as connection:
            add_run(connection, 4, 130, summary={"files": {"found": 4668, "uploaded": 400, "remaining": 4268}})
        await page.evaluate("address => { location.hash = address }", run_address(journal, 4))
        tile = page.locator(".tile").filter(has_text="Found before its end")
        await expect(tile).to_contain_text("4,668")
        await expect(page.get_by_text("there can be more")).to_be_visible()


@pytest.mark.slow
async def test_a_run_that_is_pruned_while_it_is_shown_says_so(browser: Browser, tmp_path: Path) -> None:
    journal = make_journal(tmp_path / "nightly.sqlite3", [AFile(b"a.jpg")], runs=(0, 0, 0))
    async with (
        opened(tmp_path) as client,
        shown(browser, client, run_address(journal, 1), allowed=("410",)) as page,
    ):
        await settled(page)
        with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as connection:
            connection.execute("DELETE FROM runs WHERE id = 1")
        await expect(page.get_by_role("heading", level=1)).to_have_text("This run is not in the journal any more")
        assert await violations(page) == []
        await page.get_by_role("main").get_by_role("link", name="All runs").click()
        await expect(page.locator(".journal .badge")).to_have_text("Complete")


@pytest.mark.slow
async def test_the_card_of_a_journal_tells_what_a_small_retry_has_left(browser: Browser, tmp_path: Path) -> None:
    files = [AFile(b"a"), AFile(b"b", "storage answered 500"), AFile(b"c", "storage answered 500")]
    journal = make_journal(tmp_path / "nightly.sqlite3", files, runs=(1,), summary=NIGHT)
    with contextlib.closing(open_for_writing(str(journal))) as connection:
        add_run(connection, 2, 0, summary={"files": {"found": 1, "uploaded": 1, "failed": 0}})
    async with opened(tmp_path) as client, shown(browser, client) as page:
        await expect(page.locator(".journal .badge")).to_have_text("Last run complete, 2 left")
        await page.get_by_role("link", name="2 files not uploaded").click()
        await expect(page.get_by_role("button", name="Retry all 2 files")).to_be_enabled()
        await expect(page.locator(".head .badge")).to_have_text("Last run complete, 2 left")


@pytest.mark.slow
async def test_a_locked_journal_and_a_damaged_one_stand_beside_the_others(browser: Browser, tmp_path: Path) -> None:
    for name in ("locked", "damaged", "sound"):
        make_journal(tmp_path / f"{name}.sqlite3", [AFile(b"a.jpg")])
    with contextlib.closing(sqlite3.connect(tmp_path / "damaged.sqlite3", isolation_level=None)) as damaged:
        damaged.execute("UPDATE runs SET summary = '[]'")
    with contextlib.closing(sqlite3.connect(tmp_path / "locked.sqlite3", isolation_level=None)) as locked:
        locked.execute("PRAGMA locking_mode = EXCLUSIVE")
        locked.execute("BEGIN EXCLUSIVE")
        locked.execute("UPDATE runs SET started_at = started_at")
        locked.execute("COMMIT")
        async with opened(tmp_path) as client, shown(browser, client, allowed=("410",)) as page:
            badges = page.locator(".journal .badge")
            await expect(badges.filter(has_text="Locked")).to_have_count(1)
            await expect(badges.filter(has_text="Damaged")).to_have_count(1)
            await expect(badges.filter(has_text="Complete")).to_have_count(1)
            assert await violations(page) == []
            locked.close()
            await expect(badges.filter(has_text="Complete")).to_have_count(2)
