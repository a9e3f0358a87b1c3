"""Runs that are paused and resumed, and whose limits change: every service, sending processes, files in parts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import World, world

from bulkup import ExitCode, UsageError
from bulkup.api.control.control_client import ControlClient
from bulkup.api.control.control_server import serving
from bulkup.api.control.run_controls import RunControls
from bulkup.api.uploader import Uploader

MIB = 1024**2
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("magic-hour", {}),
    ("magic-hour", {"processes": 2}),
    ("metastudio", {}),
    ("xvid", {"processes": 2}),
    ("s3", {"multipart_from": "5M", "part_size": "5M"}),
]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        yield place


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not holds():
            await anyio.sleep(0.005)


async def quiet(uploader: Uploader) -> None:
    """Return when nothing is under way any more: closing calls that had begun have ended as well."""
    await until(lambda: not any(uploader.progress().depths[name] for name in ("sending", "requesting", "recording")))
    same, before = 0, None
    while same < 4:
        await anyio.sleep(0.1)
        progress = uploader.progress()
        now = progress.files_done, dict(progress.depths)
        same, before = (same + 1 if now == before else 0), now


@contextlib.asynccontextmanager
async def running(place: World, **settings: Any) -> AsyncGenerator[Uploader, None]:
    """Begin a run, and check at its end that all files are uploaded."""
    async with place.uploader(**settings) as uploader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            yield uploader
        assert uploader.summary.exit_code == 0, uploader.summary.error
        assert uploader.summary.counters.uploaded == uploader.summary.counters.found
    if "multipart_from" not in settings:  # a file in parts has no checksum of the whole
        place.assert_uploaded()


@pytest.mark.parametrize(("provider", "settings"), WAYS)
async def test_nothing_begins_while_a_run_is_paused(tmp_path: Path, provider: str, settings: dict[str, Any]) -> None:
    """No request reaches the service or the store, by whichever stage. After it the run ends as any other."""
    async with world(tmp_path, provider) as place:
        place.write_many(60)
        if "multipart_from" in settings:
            place.write({"large.mov": os.urandom(22 * MIB)})
        async with running(place, batch_size=5, concurrency=2, bwlimit="4M", **settings) as uploader:
            await until(lambda: uploader.progress().uploaded > 2)
            uploader.pause()
            uploader.pause()
            await quiet(uploader)
            before, done = place.server.stats(), uploader.progress().files_done
            assert done < 61
            await anyio.sleep(0.4)
            assert place.server.stats() == before
            paused = uploader.progress()
            assert (paused.state, paused.eta, paused.files_done) == ("paused", None, done)
            uploader.limit_bandwidth(None)
            uploader.resume()
            assert uploader.progress().state == "running"


async def test_urls_that_expire_during_a_pause_are_renewed(tmp_path: Path) -> None:
    """No file fails because of it, and no attempt is made with such a URL."""
    async with world(tmp_path, url_ttl=1.0) as place:
        place.write_many(30)
        async with running(place, batch_size=10, concurrency=2) as uploader:
            await until(lambda: uploader.progress().uploaded > 2)
            uploader.pause()
            await quiet(uploader)
            await anyio.sleep(1.1)
            uploader.resume()
        counters = uploader.summary.counters
        assert (counters.uploaded, counters.failed) == (30, 0)
        summary = uploader.summary
        assert 0 < summary.paused < summary.seconds
        assert summary.as_dict()["paused_seconds"] == round(summary.paused, 3)


@pytest.mark.parametrize("settings", [{"max_duration": 1.0}, {}])
async def test_a_paused_run_can_be_stopped(here: World, settings: dict[str, Any]) -> None:
    """By its own limit as well, which goes on during the pause."""
    here.write_many(40)
    async with here.uploader(bwlimit="2k", grace=0.2, **settings) as uploader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            await until(lambda: uploader.progress().depths["sending"] > 0)
            uploader.limit_bandwidth(None)
            uploader.pause()
            await quiet(uploader)
            if not settings:
                uploader.stop(ExitCode.SIGTERM)
                assert uploader.progress().state == "stopping"
        expected = ExitCode.TIME_UP if settings else ExitCode.SIGTERM
        assert uploader.summary.exit_code == expected
        assert uploader.summary.counters.remaining
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


@pytest.mark.parametrize("sender", ["lean", "aiohttp"])
async def test_the_number_of_workers_changes_during_a_run(here: World, sender: str) -> None:
    here.write_many(100)
    async with running(here, concurrency=2, bwlimit="1M", sender=sender) as uploader:

        def limit() -> int | str:
            return uploader.limits.concurrency

        await until(lambda: uploader.progress().uploaded > 1)
        assert limit() == 2
        for wrong in (0, 1025):
            with pytest.raises(UsageError, match="expected auto, or a whole number from 1 to 1024"):
                uploader.set_concurrency(wrong)
        if sender == "aiohttp":
            with pytest.raises(UsageError, match="at most the 2 that it began with"):
                uploader.set_concurrency(3)
        else:
            uploader.set_concurrency(20)
            await until(lambda: uploader.progress().depths["sending"] > 2)
        uploader.set_concurrency(1)
        assert limit() == 1
        await until(lambda: uploader.progress().depths["sending"] <= 1)
        uploader.limit_bandwidth(None)
        uploader.set_concurrency("auto")
        assert limit() == "auto"


async def test_the_control_socket_of_a_run(here: World) -> None:
    """Each request has its effect on the run. Secrets are not told."""
    here.write_many(60)
    async with running(here, bwlimit="50k", concurrency=2) as uploader:
        stopped = list[bool]()
        controls = RunControls(uploader, stopped.append, profile="nightly")
        async with serving(uploader.journal, controls), ControlClient(uploader.journal) as run:
            found = (await run.ask("progress"))["progress"]
            assert (found["run"], found["profile"], found["pid"]) == (uploader.run_id, "nightly", os.getpid())
            assert found["limits"]["bytes_per_second"] == 50 * 1024
            assert (await run.ask("pause"))["progress"]["state"] == "paused"
            assert (await run.ask("concurrency", value=4))["progress"]["limits"]["concurrency"] == 4
            with pytest.raises(UsageError, match="concurrency: expected auto or a number, not 'many'"):
                await run.ask("concurrency", value="many")
            with pytest.raises(UsageError, match="bwlimit: expected bytes per second"):
                await run.ask("bwlimit", value="fast")
            settings = await run.ask("settings")
            assert settings["settings"]["concurrency"] == 2
            assert here.config.token not in str(settings)
            assert (await run.ask("bwlimit", value=None))["progress"]["limits"]["bwlimit"] is None
            assert (await run.ask("resume"))["progress"]["state"] == "running"
            assert (await run.ask("stop"))["progress"]["state"] == "stopping"
            assert stopped == [False]
