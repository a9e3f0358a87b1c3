"""Makes the pictures of the dashboard in docs/images anew: `python tests/tools/dashboard_images.py docs/images`.

The run under way in them is a real one, of `bulkup upload` with a limited bandwidth to the embedded server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "browser")]

from browser.browser_world import PHONE, WIDE, settled, shown  # noqa: E402  # the path is set above
from dashboard_world import AFile, make_journal, opened  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402

from bulkup.dashboard.dashboard_options import DashboardOptions  # noqa: E402
from bulkup.dashboard.journal_list import journal_id  # noqa: E402

DENIED = "storage answered 403: AccessDenied (request id '{:016x}')"
DAY = 86_400.0
UNSUPPORTED = "Magic Hour does not accept the extension .tiff"
SECONDS = 25  # of the run under way, before the pictures are taken


def night(folder: Path, config: Path) -> Path:
    """Write the journal of a night on which 37 of 20,000 files were not uploaded, and of the nights before."""
    chance = random.Random(16)
    names = [f"{2016 + number // 2000}/shoot-{number // 50:03}/IMG_{number:05}.jpg" for number in range(19_963)]
    files = [AFile(name.encode(), size=chance.randrange(2**19, 2**24)) for name in names]
    paths = [f"2026/shoot-{number:03}/IMG_{number:05}" for number in chance.sample(range(400), 37)]
    for path in paths[:21]:
        files.append(AFile(f"{path}.cr3".encode(), DENIED.format(chance.getrandbits(64)), size=31_000_000, attempts=5))
    for path in paths[21:31]:
        files.append(AFile(f"{path}.tiff".encode(), UNSUPPORTED, "rejected", size=88_000_000))
    for path in paths[31:35]:
        files.append(AFile(f"{path}.jpg".encode(), "Permission denied", "unreadable", size=4_000_000))
    for path in paths[35:]:
        files.append(AFile(f"{path}.mov".encode(), "the file changed while it was read", "changed", size=710_000_000))
    codes = (0, 0, 0, 3, 0, 0, 0, 0, 6, 0, 0, 1)
    journal = make_journal(folder / "nightly.sqlite3", files, runs=codes, began=time.time() - 12.6 * DAY, apart=DAY)
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        for number, code in enumerate(codes, start=1):
            seconds, new = chance.randrange(1100, 4200), chance.randrange(180, 900)
            missed = {"failed": 21, "rejected": 10, "changed": 2, "unreadable": 4} if number == len(codes) else {}
            left = {3: {"changed": 3}, 6: {"remaining": 214}}.get(code, missed)
            found = 20_000 - 60 * (len(codes) - number)
            figures = {"found": found, "uploaded": new, "skipped": found - new - sum(left.values()), **left}
            summary = {
                "files": figures,
                "bytes": {"found": found * 9_000_000, "uploaded": new * chance.randrange(8_000_000, 15_000_000)},
                "presign": {"calls": new // 50 + 1, "files": new, "renewed": chance.randrange(5)},
                "retries": chance.randrange(90),
                "concurrency": {"last": 24, "peak": 32},
                "reused_tickets": 0,
            }
            values = (seconds, json.dumps(summary), number)
            connection.execute("UPDATE runs SET ended_at = started_at + ?, summary = ? WHERE id = ?", values)
        connection.commit()
    record = {"config_file": str(config), "provider": "magic-hour", "sources": ["/data/media/"]}
    Path(f"{journal}.config").write_text(json.dumps(record))
    return journal


def start_run(source: Path, folder: Path, state: Path, config: Path) -> subprocess.Popen[bytes]:
    """Start an upload that is still under way when the pictures are taken."""
    for number in range(900):
        path = source / f"reel-{number // 40:02}" / f"scene-{number:03}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1024) * (50 + number % 7 * 150))
    command = [sys.executable, "-m", "bulkup", "upload", "--profile", "footage", "--config", str(config)]
    environ = {**os.environ, "XDG_STATE_HOME": str(state), "XDG_DATA_HOME": str(folder / "data")}
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def take(target: Path, state: Path) -> None:
    """Take all pictures, each in light and dark."""
    program = shutil.which("chromium") or "chromium"
    journal = state / "bulkup" / "nightly.sqlite3"
    running = state / "bulkup" / "footage.sqlite3"
    views = {"runs": "#/", "failures": f"#/j/{journal_id(str(journal))}/failures", "live": ""}
    async with async_playwright() as playwright, opened(state / "bulkup", options=DashboardOptions()) as client:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        overview = await client.get("overview")
        run = next(one for one in overview["journals"] if one["path"] == str(running))
        views["live"] = f"#/j/{run['id']}/run/{run['last_run']['run']}"
        for name, address in views.items():
            for scheme in ("light", "dark"):
                async with shown(
                    browser, client, address, scheme="dark" if scheme == "dark" else "light", size=WIDE
                ) as page:
                    await settled(page)
                    await page.wait_for_timeout(8000 if name == "live" else 1500)
                    await page.screenshot(path=target / f"dashboard-{name}-{scheme}.png")
        async with shown(browser, client, views["failures"], size=PHONE) as page:
            await settled(page)
            await page.screenshot(path=target / "dashboard-phone-light.png")
        await browser.close()


def example_folder() -> Path:
    """Make the folder of the run under way, whose name is in the pictures: /data, or else one for temporary files."""
    for folder in (Path("/data"), Path(tempfile.gettempdir()) / "example"):
        with contextlib.suppress(OSError):  # it exists, or this user may not make it
            folder.mkdir()
            return folder
    raise SystemExit(f"remove {folder}, which an earlier run left")


def main() -> None:
    """Make the pictures in the folder that the command line names."""
    target = Path(sys.argv[1]).absolute()
    target.mkdir(parents=True, exist_ok=True)
    example = example_folder()
    source, config = example / "footage", example / "bulkup.toml"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "state"
        profile = f'[profiles.footage]\nsource = ["{source}"]\nprovider = "local"\nbwlimit = "4M"\n'
        config.write_text(f'[profiles.nightly]\nsource = ["/data/media"]\nprovider = "magic-hour"\n\n{profile}')
        night(state / "bulkup", config)
        process = start_run(source, folder, state, config)
        try:
            time.sleep(SECONDS)
            asyncio.run(take(target, state))
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(example)


if __name__ == "__main__":
    main()
