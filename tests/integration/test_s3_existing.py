"""`skip_existing` of `s3`, over an embedded server."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pipeline_world import QUICK_RETRIES, World, world

from bulkup.errors import UsageError


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, "s3", tunables=QUICK_RETRIES) as running:
        running.settings = {"skip_existing": True}
        yield running


async def test_a_new_journal_sends_nothing_that_the_bucket_has(here: World, tmp_path: Path) -> None:
    here.write({f"d{n % 3}/{n} ü+%.mp4": os.urandom(50 + n) for n in range(30)})
    assert (await here.run()).counters.uploaded == 30
    here.write({"d1/new.mp4": b"new", "d1/1 ü+%.mp4": os.urandom(51), "d2/2 ü+%.mp4": b"other size"})
    summary = await here.run(journal=str(tmp_path / "other.sqlite3"))
    assert (summary.exit_code, summary.counters.uploaded) == (0, 31)
    assert here.puts == 33
    assert summary.counters.already_there == 28


async def test_a_checksum_that_cannot_be_compared(here: World) -> None:
    here.write({"a.mp4": b"a"})
    with pytest.raises(UsageError, match="skip_existing compares MD5s"):
        await here.run(checksum_algorithm="sha256")
