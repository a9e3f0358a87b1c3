"""Gives files to workers in groups, and keeps a session on each worker of the cluster.

    scanner --add--> waiting --groups--> a worker's session --outcomes--> recorder
                        ^                        |
                        '------ its worker was lost, or was given up

It looks for workers at regular intervals, so some may come and go during the run. What concerns all workers passes
here: the bandwidth, the rate of API calls, refusals of hosts, fatal errors, and the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup

from bulkup.cluster.assignments import ASK, CLOSE, HASH, RESUME, Assignments
from bulkup.cluster.cluster_error import ClusterError
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.file_groups import least_loaded, take_group
from bulkup.cluster.fleet_figures import FleetFigures
from bulkup.cluster.journal_records import JournalRecords
from bulkup.cluster.source_comparison import SourceComparison
from bulkup.cluster.worker_admission import admit
from bulkup.cluster.worker_channel import ChannelError, Fleet, SchedulerLostError, WorkerGoneError
from bulkup.cluster.worker_link import WorkerLink
from bulkup.errors import BulkupError, ExitCode, MachineError, ServiceError, UsageError
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.items import Item, Outcome, Stored
from bulkup.model.log_events import LogEvent
from bulkup.model.tickets import Ticket
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run

_log = EventLogger("bulkup.cluster")
_ERRORS: dict[int, type[BulkupError]] = {ExitCode.USAGE: UsageError, ExitCode.SERVICE: ServiceError}
MakeSetup = Callable[[int, str, tuple[str, ...]], Any]


class Distributor:
    """A stage of the coordinator. `add` and the routes never block.

    `make_setup` returns the sealed set-up of a session, from epoch, address and the names of the sides that accepted a
    file. `call_wait` returns the seconds until the next API call may start, at a time; None for no limit.
    """

    def __init__(
        self,
        run: Run,
        routes: Routes,
        fleet: Fleet,
        make_setup: MakeSetup,
        call_wait: Callable[[float], float] | None,
        note_skew: Callable[[float], None],
        options: ClusterOptions,
    ) -> None:
        self.figures = FleetFigures(run.counters, run.sources)
        self._run = run
        self._routes = routes
        self._fleet = fleet
        self._make_setup = make_setup
        self._call_wait = call_wait
        self._note_skew = note_skew
        self._options = options
        self._files = Assignments()
        self._comparison = SourceComparison(run, options)
        self._links: dict[str, WorkerLink] = {}
        self._opening: set[str] = set()
        self._refused: dict[str, tuple[BulkupError, float]] = {}  # with the time
        self._epochs = 0
        self._accepted: set[str] = set()
        self._no_more = self._finishing = False
        self._alone_since = run.clock.monotonic()
        self._wake = asyncio.Event()
        self._tasks: TaskGroup
        self.adaptive = run.options.adaptive
        self._concurrency: tuple[int, bool] | None = None  # as it was set during the run
        run.throttle.on_change(self._rate_changed)
        run.pause.on_begin(self._pause_changed)
        run.pause.on_resume(self._pause_changed)

    # Routes.

    def ask(self, item: Item) -> None:
        """Take a file that needs a ticket."""
        self._add(ASK, item)

    def hash(self, item: Item) -> None:
        """Take a file that is hashed first."""
        self._add(HASH, item)

    def resume(self, item: Item, ticket: Ticket) -> None:
        """Take a file with a ticket of an earlier run."""
        item.ticket = ticket
        self._add(RESUME, item)

    def close(self, stored: Stored) -> None:
        """Take a file that storage has, and whose closing call is missing."""
        stored.item.ticket, stored.item.receipt = stored.ticket, stored.receipt
        self._add(CLOSE, stored.item)

    def _add(self, need: str, item: Item) -> None:
        self._files.add(need, item)
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Files that wait for a worker."""
        return len(self._files.waiting)

    def note_no_more(self) -> None:
        """Note that the scanner has found all files."""
        self._no_more = True
        self._wake.set()

    async def work(self) -> None:
        """Serve the workers until cancelled. Raises `JournalError`, in a group."""
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._look_for_workers)
                self._tasks.start_soon(self._tell_stop)
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    if self._run.stop.requested:
                        for file in self._files.drain():
                            self._routes.settle(Outcome(file.item, None))
                    else:
                        self._distribute()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(self._options.last_reports):
                async with anyio.create_task_group() as ends:
                    for link in self._links.values():
                        ends.start_soon(link.channel.close)

    async def finish(self) -> None:
        """End all sessions: all files are settled."""
        self._finishing = True
        links = list(self._links.values())
        for link in links:
            link.send("end")
        with anyio.move_on_after(self._options.last_reports):
            for link in links:
                await link.ended.wait()

    # Files.

    def _distribute(self) -> None:
        waiting, options = self._files.waiting, self._options
        links = [link for link in self._links.values() if not link.checking and not link.ending]
        while waiting and links:
            place = least_loaded([link.load for link in links], options)
            if place is None:
                break
            link = links[place]
            group = take_group(waiting, link.load, options, len(links))
            unchecked = self._comparison.unchecked(group, link.checked)
            if unchecked:
                waiting.extendleft(reversed(group))
                link.checking = True
                links.remove(link)
                self._tasks.start_soon(self._check, link, unchecked)
            else:
                self._files.give(link.epoch, group)
                link.give(group)
        last = self._no_more and not waiting
        for link in self._links.values():
            if link.last is not last:
                link.last = last
                link.send("last", last)

    async def _check(self, link: WorkerLink, unchecked: Any) -> None:
        """Compare sources with those of a worker, which gets files of them if they are the same."""
        try:
            devices = await self._comparison.compare(link, unchecked)
        except UsageError as error:
            self._refuse(link.name, link.address, error)
            await self._lose(link, error.message)
            return
        except WorkerGoneError:
            return  # its loops meet the same, and give it up
        if devices:
            link.send("devices", devices)
        link.checking = False
        self._wake.set()

    # Workers.

    async def _look_for_workers(self) -> None:
        while True:
            try:
                workers = await self._fleet.workers()
            except SchedulerLostError:
                await self._reconnect()
                continue
            for address, name in workers.items():
                if address not in self._links and address not in self._opening and not self._is_refused(address):
                    self._opening.add(address)
                    self._tasks.start_soon(self._open, address, name)
            for address in [one for one in self._links if one not in workers]:
                await self._lose(self._links[address], "it left the cluster")
            self._note_speeds()
            self._check_alone(workers)
            await anyio.sleep(self._options.look)

    async def _reconnect(self) -> None:
        """Connect to the scheduler again. It knows nothing of earlier sessions, so all files are given anew."""
        _log.warning(LogEvent.SCHEDULER_LOST)
        for link in list(self._links.values()):
            await self._lose(link, "the scheduler was lost")
        deadline = self._run.clock.monotonic() + self._options.reconnect
        while True:
            try:
                await self._fleet.reconnect()
            except SchedulerLostError as error:
                if self._run.clock.monotonic() >= deadline:
                    self._fail(f"the scheduler was lost, and did not return for {self._options.reconnect:g} s", error)
                    await anyio.sleep_forever()
                await anyio.sleep(self._options.look)
            else:
                self._alone_since = self._run.clock.monotonic()
                return

    def _check_alone(self, workers: Any) -> None:
        """End the run if it has had no worker for too long, or none that it can use."""
        now = self._run.clock.monotonic()
        if self._links:
            self._alone_since = now
            return
        refused = [self._refused[address][0] for address in workers if self._is_refused(address)]
        if refused and not self._opening:
            self._run.stop.fail(refused[0])
        elif now - self._alone_since > self._options.first_worker:
            self._fail(f"the cluster has had no worker for {self._options.first_worker:g} s")

    def _fail(self, message: str, cause: Exception | None = None) -> None:
        error = ClusterError(message, hint="see the logs of the scheduler and its workers; the next run resumes")
        error.__cause__ = cause
        self._run.stop.fail(error)

    async def _open(self, address: str, name: str) -> None:
        self._epochs += 1
        epoch = self._epochs
        try:
            channel = await self._fleet.open(address, epoch)
            try:
                setup = self._make_setup(epoch, address, tuple(self._accepted))
                await admit(channel, name, setup, self._run.clock, self._options)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await channel.close()
                raise
        except (ChannelError, WorkerGoneError) as error:
            _log.warning(LogEvent.WORKER_LOST, worker=name, reason=str(error), files=0)
            return
        except BulkupError as error:
            self._refuse(name, address, error)
            return
        finally:
            self._opening.discard(address)
        records = JournalRecords(self._run, self._routes, self._files, epoch)
        figures = self.figures.begin(epoch, name)
        link = WorkerLink(
            name, address, epoch, channel, records, figures, self, self._run.clock, self._options, self._linger
        )
        self._links[address] = link
        self._rate_changed()
        if self._run.pause.on:
            link.send("pause", True)
        if self._concurrency is not None:
            link.send("concurrency", *self._concurrency)
        _log.info(LogEvent.WORKER_JOINED, worker=name)
        self._wake.set()
        await self._serve(link)

    def _refuse(self, name: str, address: str, error: BulkupError) -> None:
        earlier = self._refused.get(address)
        self._refused[address] = error, self._run.clock.monotonic()
        if earlier is None or earlier[0].message != error.message:
            _log.warning(LogEvent.WORKER_REFUSED, worker=name, reason=error.message, hint=error.hint)

    def _is_refused(self, address: str) -> bool:
        """Return whether a worker was refused lately. Its user may mend it while the run goes on."""
        refused = self._refused.get(address)
        return refused is not None and self._run.clock.monotonic() - refused[1] < self._options.refused

    async def _serve(self, link: WorkerLink) -> None:
        reason = ""
        try:
            with link.scope:
                await link.serve()
        except BaseExceptionGroup as group:
            gone, others = group.split(WorkerGoneError)
            if others is not None or gone is None:
                raise
            reason = _first(gone)
        if not link.lost:
            await self._lose(link, reason)

    async def _lose(self, link: WorkerLink, reason: str) -> None:
        """Give a worker up, and its files to others."""
        if link.lost:
            return
        link.lost = True
        link.scope.cancel()
        self._links.pop(link.address, None)
        await link.records_done()
        files = self._files.withdraw(link.epoch, self._run.provider.reusable)
        self.figures.end(link.epoch)
        if not self._finishing:
            _log.warning(LogEvent.WORKER_LOST, worker=link.name, reason=reason, files=len(files))
        await link.records.unknown_ids_of(files)
        self._rate_changed()
        self._wake.set()
        with anyio.CancelScope(shield=True), anyio.move_on_after(self._options.last_reports):
            await link.channel.close()

    def _note_speeds(self) -> None:
        for link in self._links.values():
            link.note_speed(self._run.clock.monotonic())
        self._wake.set()

    # What concerns all workers.

    def news(self, link: WorkerLink, kind: str, values: Sequence[Any]) -> None:
        """Take news of a worker."""
        if link.lost:
            return
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(link, *values)

    async def call_granted(self) -> None:
        """Return when an API call may start."""
        if self._call_wait is not None:
            await anyio.sleep(self._call_wait(self._run.clock.monotonic()))

    def _on_room(self, _: WorkerLink) -> None:
        if self._files.waiting:
            self._wake.set()

    def _on_figures(self, link: WorkerLink, totals: Any, depths: Any, sending: Any) -> None:
        self.figures.report(link.epoch, totals, depths, sending, self._run.clock.monotonic())
        if totals["skew"] is not None:
            self._note_skew(totals["skew"])

    def _on_bytes(self, link: WorkerLink, count: int) -> None:
        throttle = self._run.throttle
        turn = throttle.request(count)
        if turn is None:
            link.send("bytes", throttle.rate, count)
        else:
            turn.add_done_callback(lambda done: None if done.cancelled() else link.send("bytes", throttle.rate, count))

    def _on_gate(self, link: WorkerLink, name: str, problem: Any) -> None:
        for other in self._links.values():
            if other is not link:
                other.send("gate", name, problem)

    def _on_accepted(self, link: WorkerLink, names: Sequence[str]) -> None:
        self._accepted.update(names)
        for other in self._links.values():
            if other is not link:
                other.send("accepted", tuple(names))

    def _on_failure(self, _: WorkerLink) -> None:
        self._routes.count_failure()

    def _on_fatal(self, link: WorkerLink, code: int, message: str, hint: str) -> None:
        """Withdraw a worker whose machine failed: its session gives its files back. Any other error ends the run."""
        if self._run.stop.requested or link.ending:
            return
        error = _ERRORS.get(code, MachineError)(f"{message} (on worker {link.name})", hint=hint)
        if isinstance(error, MachineError):
            link.ending = message
            link.send("stop", code)
            link.send("end")
            self._refuse(link.name, link.address, error)
        else:
            self._run.stop.fail(error)

    def _on_ended(self, link: WorkerLink) -> None:
        if not self._finishing and not self._run.stop.requested:
            self._tasks.start_soon(self._lose, link, link.ending or "its session ended")

    def _rate_changed(self) -> None:
        rate = self._run.throttle.rate
        share = None if rate is None else rate / max(1, len(self._links))
        for link in self._links.values():
            link.send("rate", rate, share)

    def limit(self, workers: int, *, adaptive: bool) -> None:
        """Let each worker send that many files at a time from now on; with `adaptive`, at most that many."""
        self.adaptive, self._concurrency = adaptive, (workers, adaptive)
        self._run.worker_limit.want(workers)
        for link in self._links.values():
            link.send("concurrency", workers, adaptive)

    def _pause_changed(self) -> None:
        for link in self._links.values():
            link.send("pause", self._run.pause.on)

    def _linger(self) -> float:
        return max(self._options.linger, self._options.linger_per_worker * len(self._links))

    async def _tell_stop(self) -> None:
        stop, told = self._run.stop, set[int]()
        await stop.wait()
        self._wake.set()
        while True:
            new = [code for code in stop.why if code not in told]
            told.update(new)
            for link in self._links.values():
                for code in new:
                    link.send("stop", int(code))
            await anyio.sleep(0.1)


def _first(group: BaseExceptionGroup[WorkerGoneError]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
