"""Samples the figures of a run, and has the journal keep them, for the report of the run.

Nothing that goes wrong here reaches the run: where the journal cannot be written, other writes report it.
"""

from __future__ import annotations

import itertools
import math
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from bulkup._version import __version__
from bulkup.api.run_summary import Summary
from bulkup.api.sample_ring import SampleRing
from bulkup.errors import BulkupError, JournalError
from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.short_text import shortened
from bulkup.journal import Journal
from bulkup.model.counters import Gauge
from bulkup.model.files import FoundFile
from bulkup.model.histogram import Histogram
from bulkup.model.run_record import STAGES, Durations, NotedFile, RunRecord, RunSample
from bulkup.reports.summary import summary_object

_LONGEST_ERROR = 2000  # characters


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Seconds between two writes: the time that the run has lasted, between these two numbers.

    So of a run that is killed early there is something, and a long one writes a few times a minute.
    """

    shortest: float = 2.0
    longest: float = 15.0


DEFAULT_OPTIONS = RecordingOptions()


def next_time(at: float, interval: float) -> float:
    """Return the time of the next sample: a multiple of the interval, so that a late sample delays no others.

    It is at least a tenth of an interval away, because a sleep may end a little early.
    """
    return interval * math.floor(at / interval + 1.1)


class RunSampler:
    """Takes samples while `work` runs. `last` returns the whole record, for the end of the run."""

    def __init__(
        self,
        journal: Journal,
        gauge: Gauge,
        clock: Clock,
        started: float,
        settings: Mapping[str, str],
        profile: str | None,
        options: RecordingOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Sample a run that began at `started` (monotonic seconds), with the text of its settings."""
        self._journal = journal
        self._gauge = gauge
        self._clock = clock
        self._started = started
        self._settings = settings
        self._profile = profile
        self._host = socket.gethostname()
        self._options = options
        self._ring = SampleRing()

    async def work(self) -> None:
        """Take samples and write them until cancelled."""
        options, next_write = self._options, self._options.shortest
        for number in itertools.count():
            at = self._elapsed()
            self._ring.add(self._sample(at))
            if number and at >= next_write:
                try:
                    await self._journal.record(self._record(at))
                except JournalError:
                    return
                next_write = at + min(options.longest, max(options.shortest, at))
            await anyio.sleep(max(0.0, next_time(at, self._ring.interval) - self._elapsed()))

    def last(self, summary: Summary) -> RunRecord:
        """Return the record of a run that has ended."""
        return self._record(summary.seconds, summary.as_dict(), summary.error)

    def _elapsed(self) -> float:
        return max(0.0, self._clock.monotonic() - self._started)

    def _sample(self, at: float) -> RunSample:
        counters, depths = self._gauge.counters, self._gauge.depths()
        failures = counters.failed + counters.rejected + counters.changed + counters.unreadable
        return RunSample(
            at,
            counters.uploaded + failures,
            counters.bytes_sent,
            failures,
            counters.retries,
            counters.concurrency,
            tuple(depths.get(stage, 0) for stage in STAGES),
        )

    def _record(
        self, at: float, summary: Mapping[str, Any] | None = None, error: BulkupError | None = None
    ) -> RunRecord:
        counters = self._gauge.counters
        if summary is None:
            summary = summary_object(self._journal.run, 0, counters, at) | {"exit_code": None}
        return RunRecord(
            version=__version__,
            profile=self._profile,
            host=self._host,
            settings=self._settings,
            summary=summary,
            error=shortened(error.message, _LONGEST_ERROR) if error is not None else None,
            hint=(error.hint or None) if error is not None else None,
            samples=self._ring.with_last(self._sample(at)),
            api=_durations(counters.api_seconds),
            small_files=_durations(counters.sent.small),
            large_files=_durations(counters.sent.large),
            url_age=_durations(counters.url_age),
            slowest=_noted(counters.sent.slowest.files()),
            largest=_noted(counters.sent.largest.files()),
        )


def _durations(histogram: Histogram) -> Durations:
    return Durations(histogram.bounds, tuple(histogram.counts), histogram.sum)


def _noted(files: Sequence[tuple[FoundFile, float, int]]) -> list[NotedFile]:
    return [
        NotedFile(file.source.root, file.path, file.identity.size, seconds, attempts)
        for file, seconds, attempts in files
    ]
