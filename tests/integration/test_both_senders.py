"""Whole runs with each of the two senders. Other tests of whole runs use the default sender."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pipeline_world import QUICK_RETRIES, interrupt_after, world
from sender_helpers import BOTH

from bulkup.localserver.faults import FaultName

FAULTS = [f"{fault}=0.015" for fault in sorted(set(FaultName) - {FaultName.UNAUTHORIZED})]


@BOTH
@pytest.mark.parametrize("provider", ["magic-hour", "xvid"])
async def test_each_sender_survives_all_faults(tmp_path: Path, provider: str, sender: str) -> None:
    """Every file is stored unchanged, by PUT and by form, and no remote id is lost."""
    async with world(tmp_path, provider, faults=FAULTS, seed=5, tunables=QUICK_RETRIES) as place:
        place.write_many(60)
        place.write({"large.mov": os.urandom(3 * 1024**2), "empty.mov": b""})
        summary = await place.run(batch_size=10, sender=sender)
        assert summary.exit_code == 0, summary.error
        place.assert_uploaded()
        assert place.lost_ids() <= 0


@BOTH
async def test_an_interrupted_run_is_resumed_with_the_other_sender(tmp_path: Path, sender: str) -> None:
    """It sends no uploaded file again."""
    async with world(tmp_path) as place:
        place.write_many(40)
        await interrupt_after(place, 10, sender=sender, concurrency=2)
        before = len(place.manifest())
        assert (await place.run(sender="aiohttp" if sender == "lean" else "lean")).exit_code == 0
        place.assert_uploaded()
        assert before >= 10
        assert place.puts <= 40 + 2  # those in flight
