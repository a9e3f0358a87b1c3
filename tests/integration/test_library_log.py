"""The log of runs in one process, as a program receives it through `logging`."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

import anyio
import pytest
import structlog

from bulkup import Summary, upload


async def test_two_runs_at_a_time_have_their_own_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From the start to the end, and no handler is added but one that does nothing."""
    structlog.reset_defaults()  # another test of this process may have configured it
    summaries: dict[str, Summary] = {}
    root = list(logging.getLogger().handlers)

    async def run(name: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"x")
        folder = tmp_path / f"of {name}"
        summaries[name] = await upload(
            str(tmp_path / name), provider="local", store=f"{folder}/store", journal=f"{folder}/journal"
        )

    with caplog.at_level("DEBUG", "bulkup"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, "one")
            tasks.start_soon(run, "two")
    events = defaultdict(list)
    for record in caplog.records:
        fields = getattr(record, "fields", {})
        if "run" in fields:  # lines before the start of a run have none
            events[fields["run"]].append(record.event)  # type: ignore[attr-defined]  # set by the logger
    assert set(events) == {summary.run for summary in summaries.values()}
    assert all((lines[0], lines[-1]) == ("run.started", "run.ended") for lines in events.values())
    assert logging.getLogger().handlers == root
    assert all(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("bulkup").handlers)
