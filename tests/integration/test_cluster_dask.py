"""Runs over a real Dask scheduler, with workers in this process: the channel, its secrets, lost workers."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from distributed import LocalCluster
from pipeline_world import Need, World, world
from secret_search import found_in

from bulkup import ExitCode, UsageError
from bulkup.cluster.cluster_error import ClusterError
from bulkup.cluster.dask_fleet import DaskFleet
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.journal import Journal
from bulkup.model.items import Group, Item
from bulkup.model.tickets import Ticket
from bulkup.pipeline.policy.redaction import secrets_of

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


@pytest.fixture
def issued(monkeypatch: pytest.MonkeyPatch) -> list[Ticket]:
    """Return the tickets of the run, as they reach the coordinator's journal."""
    tickets, ticketed, issued = list[Ticket](), Journal.ticketed, Journal.issued

    async def note_ticketed(self: Journal, group: Group, given: Sequence[Ticket | None]) -> None:
        tickets.extend(filter(None, given))
        await ticketed(self, group, given)

    async def note_issued(
        self: Journal,
        group: Group,
        replaced: Sequence[tuple[Item, Ticket]],
        given: Sequence[Ticket | None],
        now: float,
    ) -> None:
        tickets.extend(filter(None, given))
        await issued(self, group, replaced, given, now)

    monkeypatch.setattr(Journal, "ticketed", note_ticketed)
    monkeypatch.setattr(Journal, "issued", note_issued)
    return tickets


@pytest.fixture
def dask_log(caplog: pytest.LogCaptureFixture) -> Generator[pytest.LogCaptureFixture]:
    """Capture all that Dask logs, which does not propagate to the root logger."""
    logger = logging.getLogger("distributed")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.DEBUG, "distributed"):
        yield caplog
    logger.removeHandler(caplog.handler)


def everything_in(cluster: LocalCluster) -> str:
    """Return the state of scheduler and workers as text: tasks, graphs, clients, transitions, events, logs."""
    scheduler: Any = cluster.scheduler
    tasks = [
        (key, repr(task), repr(getattr(task, "run_spec", None)), task.prefix) for key, task in scheduler.tasks.items()
    ]
    events = [repr(scheduler.get_events(topic)) for topic in list(scheduler._broker._topics)]
    state = tasks, list(scheduler.transition_log), list(scheduler.clients), scheduler.extensions, events
    servers = [scheduler, *cluster.workers.values()]
    logs = [(server.get_logs(), getattr(server, "state", None)) for server in servers]
    return repr((state, logs))


@pytest.mark.parametrize("provider", ["magic-hour", "xvid"])
async def test_files_go_through_dask_and_leave_no_secret(
    tmp_path: Path, dask: LocalCluster, issued: list[Ticket], dask_log: pytest.LogCaptureFixture, provider: str
) -> None:
    """Neither credentials nor signed URLs, nor the fields of forms."""
    states = list[str]()
    async with world(tmp_path, provider) as here:
        if here.service.has(Need.GROUPS):
            here.settings["batch_size"] = 20
        here.write_many(60)
        async with here.uploader(cluster=dask.scheduler_address) as uploader, anyio.create_task_group() as tasks:

            async def look() -> None:
                while True:
                    states.append(everything_in(dask))
                    await anyio.sleep(0.05)

            tasks.start_soon(look)
            summary = await uploader.run()
            tasks.cancel_scope.cancel()
        states.append(everything_in(dask))
        assert summary.exit_code == ExitCode.OK
        here.assert_uploaded()
        assert here.puts == 60
        given = [value for name, value in here.credentials.items() if name not in IDENTIFIERS]
    rows = uploader.progress().workers
    assert len(rows) == 2
    assert all(row.name.startswith("tcp://127.0.0.1:") for row in rows)
    text = "".join(dict.fromkeys(states)) + dask_log.text
    assert "bulkup-" in text
    assert "distributed" in dask_log.text
    assert len(issued) == 60
    secrets = {secret.reveal() for ticket in issued for secret in secrets_of(ticket)}
    assert secrets
    assert not found_in(text, [*given, *secrets])
    for name in ("X-Amz-Signature", "Signature=", "policy="):
        assert name not in text
    assert "d0/0000.mp4" not in text
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
        (
            {"cluster": "local:2", "cluster_credentials": "workers", "provider": "local", "base_url": None},
            "cannot be workers with provider local",
        ),
        ({"cluster": "tcp://127.0.0.1:8786", "provider": "local", "base_url": None}, "on this machine alone"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(here: World, changes: dict[str, Any], text: str) -> None:
    here.write_many(1)
    with pytest.raises(UsageError, match=text) as refused:
        async with here.uploader(**changes):
            pass
    assert refused.value.hint
