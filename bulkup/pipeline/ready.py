"""Files that have a ticket and lack a worker: new ones, retries, and those of an earlier run.

A worker receives only a file that may be sent at once: its lease is good, and its host admits one more request. Once
there are sending processes, the dispatcher takes the files instead of the workers, several at once.

    later --due--> files --take--> a worker
                    ^  |
                    |  |- the lease is over: back to the batcher, for a new ticket
             room   |  `- its host is full or paused
                   held

Files go to workers in the order in which they were added, but large ones earlier (`sending_order`). A file that was
held is added again once its host has room, so it comes after files that arrived meanwhile. After a stop is requested,
or while the run is paused, no worker receives a file.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable

from bulkup.helpers.alarm import Alarm
from bulkup.helpers.delay_queue import DelayQueue
from bulkup.model.items import Item, Outcome, Ticketed
from bulkup.model.tickets import Ticket
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.policy.retry import LAPSED, GiveUp, after_lapse
from bulkup.pipeline.presign.leases import renewal_time
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run
from bulkup.pipeline.sending_order import SendingOrder


class Ready:
    """The queue before the workers. Its methods never block, but for `take`."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._files = SendingOrder(as_they_come=run.options.scan.order is not None)
        self._held: dict[HostGate, deque[Ticketed]] = {}
        self._later: DelayQueue[Ticketed] = DelayQueue()
        self._idle: deque[asyncio.Future[None]] = deque()  # workers without a file
        self._dispatch: Callable[[], None] | None = None
        self._alarm = Alarm(run.timeout)
        run.pause.on_resume(self._resumed)

    @property
    def ready(self) -> int:
        """Files that wait for a worker."""
        return len(self._files)

    @property
    def held(self) -> int:
        """Files whose host is full or paused."""
        return sum(map(len, self._held.values()))

    @property
    def hosts_held(self) -> int:
        """Hosts of those files."""
        return len(self._held)

    @property
    def later(self) -> int:
        """Files that wait for their next try."""
        return len(self._later)

    def unused(self) -> int:
        """Return how many tickets no worker has begun to use."""
        return len(self._files) + self.held

    def smaller_waits(self, size: int) -> bool:
        """Return whether a file of less than `size` bytes waits here for a worker."""
        waiting = itertools.chain(self._files, *self._held.values())
        return any(file.item.file.identity.size < size for file in waiting)

    def add(self, file: Ticketed) -> None:
        """Take a file that may be sent."""
        if self._run.stop.requested:
            self._routes.give_back(file.item)
            return
        self._files.add(file)
        if self._dispatch is not None:
            self._dispatch()
            return
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                break

    def dispatch_by(self, dispatch: Callable[[], None]) -> None:
        """From now on call `dispatch` when a file arrives, and give no file to workers."""
        self._dispatch = dispatch
        dispatch()

    def _resumed(self) -> None:
        """Give out the files that waited for the end of a pause."""
        if self._dispatch is not None:
            self._dispatch()
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
        self._alarm.wake()

    def resume(self, item: Item, ticket: Ticket) -> None:
        """Take a file with a ticket of an earlier run."""
        clock = self._run.clock
        renew_at = renewal_time(ticket.expires_at, clock.now(), clock.monotonic(), self._run.options.lease_margin)
        self._run.counters.reused_tickets += 1
        self.add(Ticketed(item, ticket, renew_at))

    def retry(self, file: Ticketed, not_before: float) -> None:
        """Take a file that is sent again with the ticket it has, not before a time (monotonic seconds)."""
        self._later.push(file, not_before)
        self._alarm.wake()

    async def take(self) -> tuple[Ticketed, HostGate]:
        """Return the next file to be sent now, and the gate of its host, which counts the request as begun."""
        while True:
            if self._dispatch is not None:
                self._dispatch()  # this worker has left its place
            elif (taken := self.take_now()) is not None:
                return taken
            await self._wait_for_file()

    def take_now(self) -> tuple[Ticketed, HostGate] | None:
        """Return what `take` does, None if no file can be sent now."""
        limit, now = self._run.worker_limit, self._run.clock.monotonic()
        while self._files and not (self._run.stop.requested or self._run.pause.on):
            file = self._files.next(limit.large, limit.wanted)
            if file.asked_at is None and (self._leads_nowhere(file) or self._is_refused_like_others()):
                self._routes.renew(file.item)
            else:
                gate = self._run.gates.storage(file.ticket.url)
                if not gate.room(now):
                    self._hold(file, gate)
                    continue
                self._routes.ticket_used()
                if file.renew_at is None or now < file.renew_at:
                    gate.begin()
                    return file, gate
                self._lapsed(file.item)
            self._alarm.wake()  # no request begins, so no gate tells that there is room for a held file
        return None

    def wake(self) -> None:
        """Look again: a stop was requested."""
        self._alarm.wake()

    async def work(self) -> None:
        """Release files when they are due, or when their host has room, until cancelled."""
        while True:
            now = self._run.clock.monotonic()
            if self._run.stop.requested:
                self._give_back()
            else:
                for file in self._later.pop_due(now):
                    self.add(file)
                self._release(now)
            await self._alarm.wait(self._seconds_to_sleep(now))

    def _release(self, now: float) -> None:
        for gate, files in list(self._held.items()):
            while files and self._leads_nowhere(files[0]):
                self.add(files.popleft())
            for _ in range(gate.room(now, len(files))):
                self.add(files.popleft())
            if not files:
                del self._held[gate]

    async def _wait_for_file(self) -> None:
        worker = asyncio.get_running_loop().create_future()
        self._idle.append(worker)
        await worker

    def _hold(self, file: Ticketed, gate: HostGate) -> None:
        if gate not in self._held:
            self._held[gate] = deque()
            gate.on_room(self._alarm.wake)
        self._held[gate].append(file)
        self._alarm.wake()

    def _leads_nowhere(self, file: Ticketed) -> bool:
        """Return whether the ticket is of an earlier run, and the service now names another host instead."""
        origins = self._run.earlier_origins
        return bool(origins) and file.asked_at is None and origins.left(file.ticket.url.origin)

    def _is_refused_like_others(self) -> bool:
        """Return whether storage refuses all tickets of an earlier run, as far as is known.

        A new one shows whether that is due to their age.
        """
        return self._run.storage_refusals.concern_every_file()

    def _lapsed(self, item: Item) -> None:
        item.history.lapses += 1
        decision = after_lapse(item.history, self._run.options.retry)
        if isinstance(decision, GiveUp):
            self._routes.give_up(Outcome(item, decision.state, LAPSED))
        else:
            self._routes.renew(item)

    def _give_back(self) -> None:
        for file in (*self._files, *self._later.drain(), *(file for files in self._held.values() for file in files)):
            self._routes.give_back(file.item)
        self._files.clear()
        self._held.clear()

    def _seconds_to_sleep(self, now: float) -> float | None:
        """Return the seconds until a file is due or a host's gate admits one. None if only `wake` can end the sleep."""
        times = [gate.next_room(now) for gate in self._held]
        if (due := self._later.next_due()) is not None:
            times.append(due)
        later = [time for time in times if time > now]
        return min(later) - now if later else None
