"""Runs of the provider urls: a list of URLs, and no API."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pipeline_world import QUICK_RETRIES, World, world

from bulkup import FileState, UsageError
from bulkup.api.dry_run import preview
from bulkup.helpers.clock import SystemClock

AN_HOUR_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "urls", tunables=QUICK_RETRIES) as running:
        running.settings |= {"base_url": None, "urls": str(tmp_path / "list.csv"), "processes": 1}
        yield running


async def issue(place: World, count: int) -> list[dict[str, Any]]:
    """Return tickets of the server: objects with `url` and `id`."""
    headers = {"Authorization": f"Bearer {place.config.token}"}
    asked = {"files": [{"extension": "mp4", "size": 1} for _ in range(count)]}
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(place.server.url + "/local/v1/tickets", json=asked, headers=headers) as answer,
    ):
        tickets: list[dict[str, Any]] = (await answer.json())["tickets"]
    return tickets


def write_list(place: World, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(place.folder / "list.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)


async def list_of_all(place: World) -> list[dict[str, Any]]:
    """Issue a URL for each file of the source, and return the rows of their list."""
    files = sorted(os.path.relpath(each, place.source) for each in place.source.rglob("*") if each.is_file())
    tickets = await issue(place, len(files))
    rows = [
        {"path": path, "url": ticket["url"], "id": ticket["id"]} for path, ticket in zip(files, tickets, strict=True)
    ]
    write_list(place, rows)
    return rows


async def test_every_file_goes_to_its_own_url(place: World) -> None:
    place.write_many(250, size=30)
    await list_of_all(place)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.presign_calls) == (0, 250, 0)
    place.assert_uploaded()
    assert (await place.run()).counters.skipped == 250


async def test_a_file_without_a_url_is_reported_and_a_new_list_continues(place: World) -> None:
    place.write_many(5, size=30)
    rows = await list_of_all(place)
    write_list(place, rows[:3])
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 3, 2)
    assert {row.error for row in place.manifest() if row.error} == {"the URL list has no entry for it"}
    write_list(place, rows[3:])
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.skipped) == (0, 2, 3)
    place.assert_uploaded()


async def test_an_expired_url_fails_its_file_with_the_time(place: World) -> None:
    place.write_many(3, size=30)
    rows = await list_of_all(place)
    write_list(place, [{**row, "expires": AN_HOUR_AGO if number == 1 else ""} for number, row in enumerate(rows)])
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.failed) == (1, 2, 1)
    (failed,) = [row for row in place.manifest() if row.status is FileState.FAILED]
    assert "its URL expired at 2020-01-01 00:00:00 UTC" in (failed.error or "")
    write_list(place, rows)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


async def test_storage_decides_about_a_url_that_expired_a_short_time_ago(place: World) -> None:
    """The clock of this machine may be wrong."""
    place.write_many(2, size=30)
    rows, now = await list_of_all(place), place.clock.now()
    write_list(place, [{**row, "expires": int(now - ago)} for row, ago in zip(rows, (600, 1000), strict=True)])
    summary = await place.run()
    assert (summary.counters.uploaded, summary.counters.failed) == (1, 1)
    (failed,) = [row for row in place.manifest() if row.status is FileState.FAILED]
    assert os.fsdecode(failed.path) == rows[1]["path"]


@pytest.mark.parametrize("files", [1, 6, 20])
async def test_a_list_of_expired_urls_ends_the_run(place: World, files: int) -> None:
    """Also one with fewer files than it takes to decide that every file is refused."""
    place.write_many(files, size=30)
    rows = await list_of_all(place)
    write_list(place, [{**row, "expires": AN_HOUR_AGO} for row in rows])
    summary = await place.run()
    assert summary.exit_code in (1, 4)
    assert place.puts == 0
    write_list(place, rows)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


async def test_a_url_that_storage_calls_expired_fails_its_file(place: World) -> None:
    """There is no API that could renew it."""
    place.write_many(3, size=30)
    await list_of_all(place)
    place.faults("expired-url,first=1")
    summary = await place.run()
    assert (summary.counters.uploaded, summary.counters.failed) == (2, 1)
    (failed,) = [row for row in place.manifest() if row.status is FileState.FAILED]
    assert "its URL has expired" in (failed.error or "")
    assert "give a list with a new URL" in (failed.error or "")


async def test_storage_faults_are_retried_with_the_same_url(place: World) -> None:
    place.write_many(30, size=30)
    await list_of_all(place)
    place.faults("status-503=0.2", "cut-body=0.2", seed=3)
    assert (await place.run(concurrency=4)).exit_code == 0
    place.assert_uploaded()


async def test_an_interrupted_run_continues(place: World) -> None:
    place.write_many(60, size=30)
    await list_of_all(place)
    async with place.uploader(concurrency=2) as uploader:
        async for _ in uploader.results():
            break
    summary = await place.run()
    assert summary.exit_code == 0
    place.assert_uploaded()
    assert place.orphans() == []


async def test_a_finished_run_leaves_no_url_in_the_journal(place: World) -> None:
    place.write_many(10, size=30)
    rows = await list_of_all(place)
    await place.run()
    signature = rows[0]["url"].partition("?")[2]
    assert signature
    for file in place.journal.parent.iterdir():
        assert signature.encode() not in file.read_bytes()


async def test_json_lines_with_headers(place: World) -> None:
    place.write({"a.mp4": b"a"})
    (ticket,) = await issue(place, 1)
    lines = json.dumps({"path": "a.mp4", "url": ticket["url"], "id": ticket["id"], "headers": {"x-extra": "1"}})
    path = place.folder / "list.jsonl"
    path.write_text(lines)
    place.settings["urls"] = str(path)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


async def test_the_md5_of_the_list_decides(place: World) -> None:
    """Storage refuses other bytes."""
    place.write_many(2, size=30)
    rows = await list_of_all(place)
    write_list(place, [{**row, "md5": "" if number else "0" * 32} for number, row in enumerate(rows)])
    summary = await place.run()
    assert (summary.counters.uploaded, summary.counters.failed) == (1, 1)


async def test_a_dry_run_reads_the_list(place: World) -> None:
    place.write_many(3, size=30)
    rows = await list_of_all(place)
    write_list(place, rows[:2])
    actions = [entry.action for entry in preview(place.resolved(), environ={}, clock=SystemClock())]
    assert sorted(actions) == ["rejected", "upload", "upload"]


async def test_a_run_without_a_list_is_refused(place: World) -> None:
    place.write_many(1)
    with pytest.raises(UsageError, match="urls needs urls"):
        await place.run(urls=None)


async def test_two_lists_cannot_both_be_standard_input(place: World) -> None:
    place.write_many(1)
    with pytest.raises(UsageError, match="files_from and urls cannot both be standard input"):
        await place.run(urls="-", files_from="-")


async def test_a_missing_list_is_refused_before_the_journal_is_made(place: World) -> None:
    place.write_many(1)
    with pytest.raises(UsageError, match="cannot read the URL list"):
        await place.run()
    assert not place.journal.exists()
