"""Whole runs with either sender, through every fault at once; other tests of runs have the one that is the default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pipeline_world import quick_retries, world
from sender_world import BOTH

from bulkup.localserver.faults import FaultName

FAULTS = [f"{fault}=0.015" for fault in sorted(set(FaultName) - {FaultName.UNAUTHORIZED})]


@BOTH
@pytest.mark.parametrize("provider", ["magic-hour", "xvid"])
async def test_all_faults_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, sender: str) -> None:
    """Every file ends up stored as it is, by PUT and by form, and no remote id is lost."""
    quick_retries(monkeypatch)
    async with world(tmp_path, provider, faults=FAULTS, seed=5) as place:
        place.write_many(60)
        place.write({"large.mov": os.urandom(3 * 1024**2), "empty.mov": b""})
        summary = await place.run(batch_size=10, sender=sender)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0


@BOTH
async def test_storage_that_is_away_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sender: str
) -> None:
    """A run that it cut off has failed no file, and the next one, with whichever sender, sends what is left."""
    quick_retries(monkeypatch)
    async with world(tmp_path) as place:
        place.write_many(40)
        place.faults("cut-body=1")
        summary = await place.run(retry_for=0.5, attempts=100, sender=sender)
        assert (summary.exit_code, summary.counters.failed, summary.counters.remaining) == (4, 0, 40)
        place.faults()
        assert (await place.run(sender="aiohttp" if sender == "lean" else "lean")).exit_code == 0
        place.assert_uploaded()
