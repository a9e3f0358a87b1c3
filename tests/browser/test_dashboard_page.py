"""The dashboard in a real browser."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from dashboard_world import NOW, QUICK, AFile, add_run, make_journal, opened
from playwright.async_api import Browser, expect

from browser.browser_world import PHONE, WIDE, Scheme, overflows, settled, shown, violations
from bulkup.dashboard.journal_list import journal_id
from bulkup.journal import Lock
from bulkup.journal.database import open_for_writing

MARKUP = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
DENIED = "storage answered 403: AccessDenied (request id '{:x}')"


def failed_night(folder: Path) -> Path:
    """Write a journal of 200 files, of which 7 are not uploaded for three reasons."""
    files = [AFile(f"2026/{number:03}.jpg".encode(), size=1000 + number) for number in range(193)]
    files += [AFile(f"raw/{number}.dng".encode(), DENIED.format(number), size=number) for number in range(4)]
    files += [
        AFile(f"scans/{number}.tiff".encode(), "does not accept the extension .tiff", "rejected") for number in range(2)
    ]
    files += [AFile(b"private.jpg", "Permission denied", "unreadable")]
    return make_journal(folder / "nightly.sqlite3", files, runs=(0, 0, 1))


def views(journal: Path) -> dict[str, str]:
    start = f"#/j/{journal_id(str(journal))}"
    return {
        "all runs": "#/",
        "journal": start,
        "run": f"{start}/run/{3:032x}",
        "failures": f"{start}/failures",
        "files": f"{start}/files?q=jpg",
        "file": f"{start}/file/1/1/cmF3LzEuZG5n",
        "nothing": "#/nowhere",
    }


async def test_from_a_failed_night_to_its_causes(browser: Browser, tmp_path: Path) -> None:
    """The way of a user in the morning: which run, why, which files."""
    journal = failed_night(tmp_path)
    async with opened(tmp_path) as client, shown(browser, client) as page:
        assert "token" not in page.url
        await page.get_by_role("link", name="1 file not uploaded").click()
        await expect(page.get_by_role("button", name="Retry all 7 files")).to_be_enabled()
        denied = page.get_by_role("listitem").filter(has_text="AccessDenied")
        await expect(denied).to_contain_text("The service's key may not write to the store")
        await denied.get_by_role("button", name="Show files").click()
        rows = page.get_by_role("table").get_by_role("row")
        await expect(rows).to_have_count(5)
        await page.get_by_role("link", name="raw/1.dng").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("1.dng")
        await expect(page.get_by_role("list").last).to_contain_text("Not uploaded (failed)")
        assert journal.exists()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("name", list(views(Path())))
async def test_every_view_can_be_used_by_everyone(
    browser: Browser, tmp_path: Path, name: str, size: tuple[int, int], scheme: Scheme
) -> None:
    """The rules of axe: names for screen readers, contrast, headings, regions. No view is wider than its window."""
    journal = failed_night(tmp_path)
    async with (
        opened(tmp_path) as client,
        shown(browser, client, views(journal)[name], scheme=scheme, size=size) as page,
    ):
        await settled(page)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert await violations(page) == []
        assert not await overflows(page)


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", "#token=guessed"])
async def test_without_its_token_the_page_says_what_to_do(browser: Browser, tmp_path: Path, token: str) -> None:
    failed_night(tmp_path)
    async with opened(tmp_path) as client:
        page = await (await browser.new_context()).new_page()
        await page.goto(client.url + token)
        title = "Open the dashboard from the terminal" if not token else "The dashboard was started anew"
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await expect(page.get_by_role("main")).to_contain_text("bulkup dashboard")
        assert await violations(page) == []
        await page.evaluate("address => { location.hash = address }", f"token={client.token}")
        await page.wait_for_selector("#link.live")  # the right address, entered into the same tab


@pytest.mark.slow
async def test_a_tab_opened_from_the_page_gets_the_token_from_it(browser: Browser, tmp_path: Path) -> None:
    failed_night(tmp_path)
    async with opened(tmp_path) as client, shown(browser, client) as page:
        other = await page.context.new_page()
        await other.goto(client.url)
        await other.wait_for_selector("#link.live")
        await page.reload()
        await page.wait_for_selector("#link.live")


@pytest.mark.slow
async def test_the_browser_keeps_the_token_for_this_tab_and_origin_alone(browser: Browser, tmp_path: Path) -> None:
    """It is in no address of the history, in no cookie, and a page of another origin that asks for it gets none."""
    failed_night(tmp_path)
    async with opened(tmp_path) as client, shown(browser, client) as page:
        await page.get_by_role("link", name="1 file not uploaded").click()
        await settled(page)
        await page.go_back()
        await settled(page)
        assert client.token not in page.url
        assert client.token not in await page.evaluate("document.cookie + JSON.stringify(localStorage) + document.URL")
        assert client.token not in await page.content()
        other = await page.context.new_page()
        await other.goto(client.url.replace("127.0.0.1", "localhost"))
        await expect(other.get_by_role("heading", level=1)).to_have_text("Open the dashboard from the terminal")
        assert client.token not in await other.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.slow
async def test_names_ids_and_messages_made_of_markup_stay_text(browser: Browser, tmp_path: Path) -> None:
    files = [AFile(f"{MARKUP}.jpg".encode(), MARKUP), AFile(b"x.jpg"), AFile(b"\xff\xfe" + MARKUP.encode())]
    journal = make_journal(tmp_path / f"{MARKUP.replace('/', '')[:60]}.sqlite3", files, runs=(1,), provider=MARKUP)
    connection = sqlite3.connect(journal)
    connection.execute(
        "UPDATE files SET remote_id = ?, remote = ? WHERE error IS NULL", (MARKUP, f'{{"{"id"}": "<b>"}}')
    )
    connection.execute("UPDATE sources SET root = ?", (f"/{MARKUP}".encode(),))
    connection.commit()
    connection.close()
    start = f"#/j/{journal_id(str(journal))}"
    async with opened(tmp_path) as client, shown(browser, client) as page:
        key = (await client.ready(f"journals/{journal_id(str(journal))}/files", state="failed"))["files"][0]["key"]
        addresses = (
            "#/",
            start,
            f"{start}/run/{1:032x}",
            f"{start}/failures",
            f"{start}/files",
            f"{start}/file/" + "/".join(map(str, key)),
        )
        for address in addresses:
            await page.evaluate("address => { location.hash = address }", address)
            await settled(page)
            await expect(page.get_by_role("main")).to_contain_text("<img src=x")
            assert await page.locator("main img, main script, main b b").count() == 0
            assert await page.title() != "hacked"


@pytest.mark.slow
async def test_a_million_failures_are_searched_and_paged(browser: Browser, tmp_path: Path) -> None:
    journal = make_journal(
        tmp_path / "nightly.sqlite3",
        (
            AFile(f"{number % 977:03}/IMG_{number:07}.JPG".encode(), DENIED.format(number), size=number)
            for number in range(1_000_000)
        ),
        runs=(1,),
    )
    async with opened(tmp_path) as client, shown(browser, client, f"#/j/{journal_id(str(journal))}/failures") as page:
        page.set_default_timeout(300_000)
        await page.wait_for_selector("tbody a", timeout=300_000)
        await expect(page.get_by_role("button", name="Retry all 1,000,000 files")).to_be_visible(timeout=60_000)
        await page.keyboard.press("/")
        await page.keyboard.type("img_0999999")
        await expect(page.locator(".find .note")).to_have_text("1 file", timeout=30_000)
        await page.get_by_role("searchbox").fill("jpg")
        await expect(page.locator(".find .note")).to_have_text("more than 10,000 files")
        await page.get_by_role("button", name="Size").click()
        await expect(page.locator("tbody tr").first).to_contain_text("IMG_0000000")
        await page.get_by_role("button", name="Size").click()
        await expect(page.locator("tbody tr").first).to_contain_text("IMG_0999999")
        await page.get_by_role("button", name="Show more").click()
        await expect(page.locator("tbody tr")).to_have_count(100)


@pytest.mark.slow
async def test_a_run_begins_and_ends_while_the_page_is_open(browser: Browser, tmp_path: Path) -> None:
    journal = failed_night(tmp_path)
    async with opened(tmp_path) as client, shown(browser, client) as page:
        await expect(page.get_by_text("Nothing is running")).to_be_visible()
        lock = Lock(str(journal))
        await lock.acquire(wait=False, sleep=anyio.sleep)
        connection = open_for_writing(str(journal))
        add_run(connection, 4, None)
        await expect(page.locator("article.live .badge")).to_have_text("Running")
        await expect(page.locator("article.live")).to_contain_text("Its progress is not available")
        connection.execute("UPDATE runs SET ended_at = ?, exit_code = 0, summary = '{}' WHERE id = 4", (NOW + 99_999,))
        connection.close()
        lock.release()
        await expect(page.get_by_text("Nothing is running")).to_be_visible()
        await expect(page.locator(".journal .badge")).to_have_text("Last run complete, 7 left")


@pytest.mark.slow
async def test_a_page_without_its_server_says_so_and_reconnects(browser: Browser, tmp_path: Path) -> None:
    """After a restart the token is another one, and the page says where to get it."""
    failed_night(tmp_path)
    lost = (
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "401",
        "ERR_EMPTY_RESPONSE",
        "ERR_CONNECTION_RESET",
    )
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(contextlib.AsyncExitStack())
        client = await first.enter_async_context(opened(tmp_path))
        page = await stack.enter_async_context(shown(browser, client, allowed=lost))
        port = int(client.url.rstrip("/").rpartition(":")[2])
        await first.aclose()
        await expect(page.get_by_role("alert")).to_contain_text("Uploads are not affected")
        await expect(page.locator("#link")).to_have_text("Reconnecting")
        await expect(page.locator(".journals")).to_be_visible()  # what it had is still shown
        async with opened(tmp_path, port=port):
            await expect(page.get_by_role("heading", level=1)).to_have_text("The dashboard was started anew")


@pytest.mark.slow
async def test_a_journal_that_is_deleted_while_it_is_shown_says_so(browser: Browser, tmp_path: Path) -> None:
    journal = failed_night(tmp_path)
    start = f"#/j/{journal_id(str(journal))}"
    async with opened(tmp_path) as client, shown(browser, client, f"{start}/failures", allowed=("410",)) as page:
        await settled(page)
        for end in ("", "-wal", "-shm"):
            Path(f"{journal}{end}").unlink(missing_ok=True)
        await expect(page.get_by_text("the journal was deleted or moved away")).to_be_visible()
        await page.evaluate("address => { location.hash = address }", start)
        await expect(page.get_by_role("heading", level=1)).to_have_text("This journal was deleted")
        await page.get_by_role("main").get_by_role("link", name="All runs").click()
        await expect(page.locator(".journal .badge")).to_have_text("Deleted")


@pytest.mark.slow
async def test_the_page_is_used_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    journal = failed_night(tmp_path)
    async with opened(tmp_path) as client, shown(browser, client, f"#/j/{journal_id(str(journal))}/failures") as page:
        await settled(page)
        await page.reload()  # without a focus
        await settled(page)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        await page.keyboard.press("/")
        await page.keyboard.type("raw/2")
        await expect(page.locator(".find .note")).to_have_text("1 file")
        await page.keyboard.press("Escape")
        await page.get_by_role("checkbox", name="Choose raw/2.dng").focus()
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Retry 1 file")).to_be_visible()
        await expect(page.get_by_role("checkbox", name="Choose raw/2.dng")).to_be_focused()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


@pytest.mark.slow
async def test_the_first_paint_moves_nothing(browser: Browser, tmp_path: Path) -> None:
    journal = failed_night(tmp_path)
    for address in views(journal).values():
        async with opened(tmp_path) as client, shown(browser, client) as page:
            await settled(page)
            await page.evaluate(
                "() => { window.moved = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
                " if (!one.hadRecentInput) window.moved += one.value }).observe({ type: 'layout-shift' }) }"
            )
            await page.evaluate("address => { location.hash = address }", address)
            await settled(page)
            assert await page.evaluate("window.moved") < 0.1, address  # what Web Vitals call good


@pytest.mark.slow
async def test_failures_of_a_run_that_has_just_ended_appear_by_themselves(browser: Browser, tmp_path: Path) -> None:
    """A list that was read during a run is read again after its end, without a reload of the page."""
    journal = failed_night(tmp_path)
    options = replace(QUICK, index_rest=1e9)
    async with (
        opened(tmp_path, options=options) as client,
        shown(browser, client, f"#/j/{journal_id(str(journal))}/failures") as page,
    ):
        await settled(page)
        lock = Lock(str(journal))
        await lock.acquire(wait=False, sleep=anyio.sleep)
        connection = open_for_writing(str(journal))
        add_run(connection, 4, None)
        await expect(page.locator(".head .badge")).to_have_text("Running")
        connection.execute(
            "UPDATE files SET state = 'failed', error = 'disk full' WHERE CAST(path AS TEXT) LIKE '2026/00%'"
        )
        connection.execute("UPDATE runs SET ended_at = ?, exit_code = 3, summary = '{}' WHERE id = 4", (NOW + 99_999,))
        connection.close()
        lock.release()
        await expect(page.get_by_role("button", name="Retry all 17 files")).to_be_enabled()
        await expect(page.get_by_role("listitem").filter(has_text="Disk full")).to_contain_text("10")
        await expect(page.locator(".find .note")).to_have_text("17 files")
