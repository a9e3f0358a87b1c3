"""Measurements during a run: its requests, the lengths of its queues, and its processor time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import field

import anyio

from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.bodies import Body
from bulkup.model.counters import Gauge
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.problems import ProblemError
from bulkup.model.tickets import Ticket
from bulkup.pipeline.tuning.cores import Ticks, ticks_so_far
from bulkup.reports.bench_trials import RequestFigures
from bulkup.transport import Transport, TransportOptions

_SAMPLE_INTERVAL = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class StatusMeanings:
    """The statuses with which a host throttles, and those that say that it cannot be reached.

    An error with `Retry-After` throttles as well, unless it says that the host cannot be reached.
    """

    throttled: frozenset[int]
    unreachable: frozenset[int] = frozenset()


# As a run counts them (docs/glossary.md, "throttle").
API_CALLS = StatusMeanings(frozenset({429}), unreachable=frozenset({502, 503, 504}))
STORAGE_REQUESTS = StatusMeanings(frozenset({429, 503}))


class RequestStats:
    """Counts the requests of one kind, and keeps their durations."""

    def __init__(self, meanings: StatusMeanings) -> None:
        self._meanings = meanings
        self._seconds: list[float] = []
        self._throttled = self._failed = 0

    def add(self, seconds: float, status: int | None, *, retry_after: bool = False) -> None:
        """Count a request. `status` is None if there was no answer."""
        self._seconds.append(seconds)
        failed = status is None or status >= 400
        self._failed += failed
        asked_to_slow_down = failed and retry_after and status not in self._meanings.unreachable
        self._throttled += status in self._meanings.throttled or asked_to_slow_down

    def requests(self) -> RequestFigures:
        """Return the figures so far."""
        ordered = sorted(self._seconds)
        median, p95 = quantile(ordered, 0.5), quantile(ordered, 0.95)
        return RequestFigures(len(ordered), self._throttled, self._failed, median, p95)


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the values does not exceed, None without values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


class MeasuredTransport(Transport):
    """A transport that counts its requests."""

    def __init__(self, options: TransportOptions, clock: Clock) -> None:
        super().__init__(options, clock)
        self.api = RequestStats(API_CALLS)
        self.storage = RequestStats(STORAGE_REQUESTS)

    async def call(self, base_url: str, request: ApiRequest) -> ApiAnswer:
        """Carry out an API call, as `Transport.call`."""
        begun = time.perf_counter()
        try:
            answer = await super().call(base_url, request)
        except ProblemError:
            self.api.add(time.perf_counter() - begun, None)
            raise
        self.api.add(time.perf_counter() - begun, answer.status, retry_after="retry-after" in answer.headers)
        return answer

    async def send(
        self,
        ticket: Ticket,
        body: Body,
        headers: Mapping[str, str],
        on_bytes: Callable[[int], None],
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        """Send a file, as `Transport.send`."""
        begun = time.perf_counter()
        try:
            answer = await super().send(ticket, body, headers, on_bytes, new_connection=new_connection)
        except ProblemError:
            self.storage.add(time.perf_counter() - begun, None)
            raise
        self.storage.add(time.perf_counter() - begun, answer.status, retry_after="retry-after" in answer.headers)
        return answer


@dataclass(slots=True)
class QueueSamples:
    """Averages over samples of the queue lengths. `workers` is the worker limit, 0 if it varies."""

    workers: int
    _seen: int = 0
    _starved: int = 0
    _sending: int = 0
    _recording: int = 0

    def add(self, depths: Mapping[str, int]) -> None:
        """Add a sample. Samples before the first file is found, and after the last file was started, do not count."""
        at = {
            name: depths.get(name, 0) for name in ("hashing", "grouping", "requesting", "ready", "sending", "recording")
        }
        if not (at["hashing"] or at["grouping"] or at["requesting"] or at["ready"]):
            return
        self._seen += 1
        self._sending += at["sending"]
        self._recording += at["recording"]
        idle = not self.workers or at["sending"] < self.workers
        self._starved += bool(idle and not at["ready"] and at["requesting"])

    @property
    def starved(self) -> float:
        """The share of the time in which workers had nothing to send while URLs were requested."""
        return self._starved / self._seen if self._seen else 0.0

    @property
    def sending(self) -> float:
        """The average number of files with a worker."""
        return self._sending / self._seen if self._seen else 0.0

    @property
    def recording(self) -> float:
        """The average number of files that wait for their row in the journal."""
        return self._recording / self._seen if self._seen else 0.0

    async def watch(self, gauge: Gauge) -> None:
        """Take samples until cancelled."""
        while True:
            self.add(gauge.depths())
            await anyio.sleep(_SAMPLE_INTERVAL)


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor time so far: of this thread and this process in seconds, of the usable cores in ticks."""

    thread: float = field(default_factory=time.thread_time)
    process: float = field(default_factory=time.process_time)
    machine: Ticks | None = field(default_factory=ticks_so_far)

    def busy_share(self, before: CpuTimes) -> float | None:
        """Return the share of the cores that was busy since `before`, None if the system does not report it."""
        if self.machine is None or before.machine is None:
            return None
        idle, passed = self.machine.idle - before.machine.idle, self.machine.all - before.machine.all
        # The idle time that the system reports sometimes decreases (proc(5) on iowait).
        return min(1.0, max(0.0, 1 - idle / passed)) if passed > 0 else None
