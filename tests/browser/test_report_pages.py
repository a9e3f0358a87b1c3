"""The page of a report in Chromium: accessible, light and dark, on a phone and on paper, and it loads nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from made_runs import BEGUN, FAILED, KILLED, Failures, MadeRun, history, made_journal
from playwright.async_api import Browser, Page, ViewportSize

from browser.browser_world import PHONE, WIDE, Scheme, overflows, violations
from bulkup.api.run_report import gather
from bulkup.journal import Reader
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.run_report.html_report import html_report

NARROW = (320, 600)
MARKUP = "<img src=x onerror=alert(1)><b>bold</b>"
HOSTILE = replace(
    FAILED,
    failures=(
        Failures("failed", f"{MARKUP} \u202egnp.exe \x1b[31m http://evil.example/", 3, f"{MARKUP}.mp4".encode()),
        Failures("rejected", "x" * 700, 1, b"y" * 900),
    ),
    names=(MARKUP.encode(), b"\xff\xfe\x1b[2J", "\u202etxt.exe \u0645\u0631\u062d\u0628\u0627".encode(), b"z" * 600),
    settings={"exclude": MARKUP},
    error=MARKUP,
    hint=MARKUP,
)
RUNS: Mapping[str, list[MadeRun]] = {
    "good": history(MadeRun()),
    "failed": history(FAILED),
    "killed": history(KILLED),
    "hostile": history(HOSTILE),
    "nothing to do": history(replace(MadeRun(), skipped=20_000, seconds=0.2)),
    "empty": [MadeRun(files=0, seconds=0.1)],
    "first, of an earlier version": [MadeRun(recorded=False)],
}


@dataclass
class Opened:
    """A page, with everything that it asked for and complained about since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def opened(
    browser: Browser, url: str, *, scheme: Scheme = "light", size: tuple[int, int] = WIDE, scripts: bool = True
) -> AsyncGenerator[Opened, None]:
    width, height = size
    viewport: ViewportSize = {"width": width, "height": height}
    context = await browser.new_context(color_scheme=scheme, viewport=viewport, java_script_enabled=scripts)
    there = Opened(await context.new_page())
    there.page.on("request", lambda request: there.requests.append(request.url))
    there.page.on("console", lambda message: there.complaints.append(message.text))
    there.page.on("pageerror", lambda error: there.complaints.append(str(error)))
    await there.page.goto(url)
    yield there
    await context.close()


def page_of(folder: Path, runs: list[MadeRun]) -> str:
    """Write the page of the last of these runs, and return its address."""
    path = made_journal(folder / "made.sqlite3", runs)
    with Reader(str(path)) as reader:
        options = JournalOptions("--profile nightly", "--profile nightly")
        page = html_report(gather(reader, len(runs), lambda _: options, BEGUN + 4000.0))
    (folder / "report.html").write_text(page, "utf-8")
    return (folder / "report.html").as_uri()


async def test_a_page_is_accessible_loads_nothing_and_shows_markup_as_text(tmp_path: Path, browser: Browser) -> None:
    url = page_of(tmp_path, RUNS["hostile"])
    async with opened(browser, url, size=PHONE) as there:
        assert await violations(there.page) == []
        assert not await overflows(there.page)
        assert await there.page.locator("img, b, script, a").count() == 0
        assert MARKUP in await there.page.locator("main").inner_text()
        assert there.requests == [url]
        assert there.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE, NARROW], ids=["wide", "phone", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", RUNS)
async def test_each_page_is_accessible_in_both_themes_at_any_width(
    name: str, scheme: Scheme, size: tuple[int, int], tmp_path: Path, browser: Browser
) -> None:
    url = page_of(tmp_path, RUNS[name])
    async with opened(browser, url, scheme=scheme, size=size) as there:
        await there.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert await violations(there.page) == []
        assert not await overflows(there.page)
        assert there.requests == [url]
        assert there.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_paper_is_white_and_has_everything_within_its_width(
    scheme: Scheme, tmp_path: Path, browser: Browser
) -> None:
    async with opened(browser, page_of(tmp_path, RUNS["hostile"]), scheme=scheme, size=(680, 900)) as there:
        await there.page.emulate_media(media="print")
        assert await there.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not await overflows(there.page)
        assert (await there.page.pdf(format="A4")).startswith(b"%PDF")


@pytest.mark.slow
async def test_paper_shows_what_the_page_folds(tmp_path: Path, browser: Browser) -> None:
    async with opened(browser, page_of(tmp_path, RUNS["failed"])) as there:
        folded = there.page.locator("details td").last
        assert not await folded.is_visible()
        await there.page.emulate_media(media="print")
        assert await folded.is_visible()


@pytest.mark.slow
async def test_the_policy_stops_scripts_and_requests_that_somebody_adds(tmp_path: Path, browser: Browser) -> None:
    """As if text from outside had become markup in spite of all."""
    url = page_of(tmp_path, RUNS["good"])
    path = tmp_path / "report.html"
    added = "<script>document.title = 'run'</script><img src='http://127.0.0.1:9/x.png'>"
    path.write_text(path.read_text("utf-8").replace("</main>", f"{added}</main>"), "utf-8")
    async with opened(browser, url) as there:
        assert await there.page.title() != "run"
        refused = " ".join(there.complaints)
        assert "script" in refused
        assert "http://127.0.0.1:9/x.png" in refused
        assert refused.count("Content Security Policy") >= 2


@pytest.mark.slow
async def test_figures_are_readable_without_javascript(tmp_path: Path, browser: Browser) -> None:
    async with opened(browser, page_of(tmp_path, RUNS["failed"]), scripts=False) as there:
        text = await there.page.locator("body").inner_text()
    for part in ("19,963 of 20,000 files were uploaded", "mean 7.9, peak 10", "95 % within", "4.8 MiB/s"):
        assert part in text
