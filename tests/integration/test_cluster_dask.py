"""Runs over a real Dask scheduler, with workers in this process: the channel, its secrets, lost workers."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from distributed import LocalCluster
from pipeline_world import TOKEN, World, world
from secret_search import found_in

from bulkup import ExitCode, UsageError
from bulkup.cluster.cluster_error import ClusterError
from bulkup.cluster.dask_fleet import DaskFleet

# Dask leaves sockets to the garbage collector when a cluster ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as place:
        place.settings["batch_size"] = 20
        yield place


@pytest.fixture
async def dask() -> AsyncGenerator[LocalCluster, None]:
    async with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address=None,
        memory_limit=0,
        silence_logs=False,
        asynchronous=True,
    ) as cluster:
        yield cluster


def everything_in(scheduler: Any) -> str:
    """Return the scheduler's state as text: tasks with their graphs, clients, logs of transitions, events."""
    tasks = [
        (key, repr(task), repr(getattr(task, "run_spec", None)), task.prefix) for key, task in scheduler.tasks.items()
    ]
    events = [repr(scheduler.get_events(topic)) for topic in list(scheduler._broker._topics)]
    return repr((tasks, list(scheduler.transition_log), list(scheduler.clients), scheduler.extensions, events))


async def test_files_go_through_dask_and_leave_no_secret(
    here: World, dask: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    here.write_many(120)
    secrets, states = [TOKEN], list[str]()
    with caplog.at_level(logging.DEBUG, "distributed"):
        async with here.uploader(cluster=dask.scheduler_address) as uploader, anyio.create_task_group() as tasks:

            async def look() -> None:
                while True:
                    states.append(everything_in(dask.scheduler))
                    await anyio.sleep(0.05)

            tasks.start_soon(look)
            summary = await uploader.run()
            tasks.cancel_scope.cancel()
        states.append(everything_in(dask.scheduler))
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert here.puts == 120
    rows = uploader.progress().workers
    assert len(rows) == 2
    assert all(row.name.startswith("tcp://127.0.0.1:") for row in rows)
    text = "".join(states) + caplog.text
    assert "bulkup-" in text
    assert not found_in(text, secrets)
    assert "X-Amz-Signature" not in text
    assert "Signature=" not in text
    assert b"d0/0000.mp4".decode() not in text
    assert dask.scheduler is not None
    assert not dask.scheduler.tasks


WITHOUT_BULKUP = (
    "import sys; sys.modules['bulkup'] = None; from distributed.cli.dask_worker import main; main(sys.argv[1:])"
)


async def test_a_worker_without_bulkup_is_refused_and_lives_on(dask: LocalCluster) -> None:
    options = ["--no-nanny", "--nthreads", "1", "--name", "bare", "--no-dashboard"]
    command = [sys.executable, "-c", WITHOUT_BULKUP, dask.scheduler_address, *options]
    fleet = DaskFleet(dask.scheduler_address, "test", 10.0)
    await fleet.connect()
    async with await anyio.open_process(command, stderr=subprocess.DEVNULL) as bare:
        try:
            with anyio.fail_after(60):
                while "bare" not in (names := await fleet.workers()).values():
                    await anyio.sleep(0.05)
            (address,) = [one for one, name in names.items() if name == "bare"]
            for epoch in (1, 2):
                with pytest.raises(UsageError, match="has no bulkup") as refused:
                    await fleet.open(address, epoch)
                assert "pip install" in refused.value.hint
            assert bare.returncode is None
        finally:
            await fleet.close()
            bare.terminate()


async def test_a_worker_that_leaves_is_replaced(here: World, dask: LocalCluster) -> None:
    here.write_many(400)
    async with here.uploader(cluster=dask.scheduler_address) as uploader, anyio.create_task_group() as tasks:

        async def leave() -> None:
            while here.puts < 50:
                await anyio.sleep(0.005)
            await dask.workers[0].close(executor_wait=False, nanny=False)

        tasks.start_soon(leave)
        summary = await uploader.run()
    assert summary.exit_code == ExitCode.OK
    here.assert_uploaded()
    assert [row.working for row in uploader.progress().workers].count(True) >= 1


async def test_a_scheduler_that_cannot_be_reached_starts_nothing(here: World, unused_tcp_port: int) -> None:
    here.write_many(3)
    with pytest.raises(ClusterError, match="cannot be reached"):
        async with here.uploader(cluster=f"tcp://127.0.0.1:{unused_tcp_port}", connect_timeout=0.5):
            pass
    assert not here.journal.exists()
    assert here.calls == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cluster": "tcp://192.0.2.1:8786"}, "has no TLS"),
        ({"cluster": "local:2", "processes": 3}, "processes has no meaning"),
        ({"cluster": "tcp://127.0.0.1:8786", "provider": "local", "base_url": None}, "on this machine alone"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(here: World, changes: dict[str, Any], text: str) -> None:
    here.write_many(1)
    with pytest.raises(UsageError, match=text) as refused:
        async with here.uploader(**changes):
            pass
    assert refused.value.hint
