"""Whole runs with either sender, through every fault at once; other tests of runs have the one that is the default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pipeline_world import QUICK_RETRIES, cut_off_after, world
from sender_helpers import BOTH

from bulkup.localserver.faults import FaultName

FAULTS = [f"{fault}=0.015" for fault in sorted(set(FaultName) - {FaultName.UNAUTHORIZED})]


@BOTH
@pytest.mark.parametrize("provider", ["magic-hour", "xvid"])
async def test_all_faults_together(tmp_path: Path, provider: str, sender: str) -> None:
    """Every file ends up stored as it is, by PUT and by form, and no remote id is lost."""
    async with world(tmp_path, provider, faults=FAULTS, seed=5, tunables=QUICK_RETRIES) as place:
        place.write_many(60)
        place.write({"large.mov": os.urandom(3 * 1024**2), "empty.mov": b""})
        summary = await place.run(batch_size=10, sender=sender)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0


@BOTH
async def test_a_run_that_was_cut_off_goes_on_with_the_other(tmp_path: Path, sender: str) -> None:
    """What one has sent the other does not send again."""
    async with world(tmp_path) as place:
        place.write_many(40)
        await cut_off_after(place, 10, sender=sender, concurrency=2)
        before = len(place.manifest())
        assert (await place.run(sender="aiohttp" if sender == "lean" else "lean")).exit_code == 0
        place.assert_uploaded()
        assert before >= 10
        assert place.puts <= 40 + 2  # those that were under way
