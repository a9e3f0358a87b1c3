"""A cluster of sessions in the test's own process, without Dask: its workers can be killed, cut off and made to differ.

Set-ups and messages take the same form as over a network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pipeline_world import Need, World, assert_adds_up

from bulkup import Summary, Uploader
from bulkup.api.cluster_run import ClusterAccess
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.session_actor import SessionActor
from bulkup.cluster.uplink import NEWS
from bulkup.cluster.worker_channel import ChannelError, SchedulerLostError, WorkerGoneError

# Short times, so that tests of lost workers take a second. Groups are small, so that each worker gets some.
QUICK = ClusterOptions(
    group_files=10,
    least_files=40,
    lease=10.0,
    silence=15.0,
    poll=0.2,
    look=0.05,
    pause=0.02,
    figures=0.05,
    probe_pause=0.01,
)


@dataclasses.dataclass(eq=False)
class FakeWorker:
    """A worker: calls to it may fail, and `hello` has changes of its first answer."""

    name: str
    cut: bool = False  # calls do not arrive, and it lives on
    killed: bool = False
    hello: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sees: Callable[[Any], Any] = lambda seen: seen  # a probe's result
    actors: list[SessionActor] = dataclasses.field(default_factory=list)
    calls: int = 0
    bytes: int = 0
    on_call: Callable[[str], None] = lambda method: None
    fault: tuple[int, str, str] | None = None  # exit code, message and hint of a fatal error that it reports
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    setups: list[SealedBody] = dataclasses.field(default_factory=list)  # of its sessions

    def is_out_of_reach(self) -> bool:
        return self.killed or self.cut

    async def kill(self) -> None:
        """End it with everything that it has under way."""
        self.killed = True
        for actor in self.actors:
            await actor.end()


class FakeChannel:
    def __init__(self, worker: FakeWorker) -> None:
        self._worker = worker
        self._actor = SessionActor(worker.environ)
        worker.actors.append(self._actor)

    async def call(self, method: str, *arguments: Any) -> Any:
        worker = self._worker
        await anyio.sleep(0)
        worker.on_call(method)
        if worker.killed:
            raise WorkerGoneError("it was killed")
        if worker.cut:
            await anyio.sleep(0.01)
            raise ChannelError("cut")
        worker.calls += 1
        if method == "begin":
            worker.setups += arguments
        worker.bytes += sum(len(one) for one in arguments if isinstance(one, SealedBody))
        result = await getattr(self._actor, method)(*arguments)
        if method == "pull" and worker.fault is not None:
            result = SealedBody.of([("fatal", NEWS, *worker.fault), *result.value()])
        if worker.is_out_of_reach():
            raise ChannelError("the answer was lost")
        if isinstance(result, SealedBody):
            worker.bytes += len(result)
        if method == "hello":
            return {**result, **worker.hello}
        return SealedBody.of(worker.sees(result.value())) if method == "probe" else result

    async def close(self) -> None:
        if not self._worker.cut:
            await self._actor.end()


class FakeFleet:
    """The workers by address. While `lost`, the scheduler does not answer."""

    def __init__(self, workers: int) -> None:
        self.all = [FakeWorker(f"w{number}") for number in range(workers)]
        self.lost = False
        self.reconnects = 0

    async def workers(self) -> Mapping[str, str]:
        if self.lost:
            raise SchedulerLostError("lost")
        return {f"fake://{worker.name}": worker.name for worker in self.all if not worker.killed}

    async def open(self, address: str, epoch: int) -> FakeChannel:
        del epoch
        return FakeChannel(next(worker for worker in self.all if f"fake://{worker.name}" == address))

    async def reconnect(self) -> None:
        self.reconnects += 1
        if self.lost:
            raise SchedulerLostError("lost")

    def add(self, name: str) -> FakeWorker:
        self.all.append(FakeWorker(name))
        return self.all[-1]


@dataclasses.dataclass
class Cluster:
    """A world whose runs use a cluster."""

    world: World
    fleet: FakeFleet
    options: ClusterOptions = QUICK

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[FakeFleet, None]:
        yield self.fleet

    def uploader(self, **changes: Any) -> Uploader:
        """Return a run that has not begun."""
        place = self.world
        access = ClusterAccess(self._connect, self.options)
        settings = place.resolved(**changes)
        return Uploader(settings, environ={}, clock=place.clock, tunables=place.tunables, cluster=access)

    async def run(self, **changes: Any) -> Summary:
        """Run to the end, check the figures, and return the summary."""
        async with self.uploader(**changes) as uploader:
            summary = await uploader.run()
        assert_adds_up(summary)
        return summary


def cluster_of(place: World, workers: int = 2, **options: Any) -> Cluster:
    """Return a cluster over a world. Presign calls are for ten files, where the service takes several."""
    if place.service.has(Need.GROUPS):
        place.settings.setdefault("batch_size", 10)
    return Cluster(place, FakeFleet(workers), dataclasses.replace(QUICK, **options))
