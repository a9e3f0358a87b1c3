"""One measured run of the uploader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import anyio

from bulkup.api.bench.measuring import CpuTimes, MeasuredTransport, QueueSamples
from bulkup.api.run_summary import Summary
from bulkup.api.uploader import Uploader
from bulkup.config import Settings
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.model.items import Result
from bulkup.model.states import DONE
from bulkup.reports.bench_trials import Choice, Trial
from bulkup.transport import TransportOptions


class TrialRun:
    """A measured run. `reason` is the error of the first file that was not uploaded."""

    def __init__(
        self, choice: Choice, settings: Settings, profile: str | None, environ: Mapping[str, str] | None
    ) -> None:
        self.reason: str | None = None
        self._choice = choice
        self._settings = settings
        self._profile = profile
        self._environ = environ
        self._clock = SystemClock()
        self._transport: MeasuredTransport
        self._samples = QueueSamples(choice.workers)
        self._begun = CpuTimes()
        self._ended = self._begun
        self._started = 0.0
        self._first_file: float | None = None
        self._settled: Callable[[Sequence[Result]], None]

    async def carry_out(
        self, begun: Callable[[Uploader], None], settled: Callable[[Sequence[Result]], None]
    ) -> Summary:
        """Upload and return the summary. Raises `BulkupError` if the run cannot be started."""
        self._settled = settled
        async with Uploader(
            self._settings, profile=self._profile, environ=self._environ, transport=self._watched
        ) as uploader:
            begun(uploader)
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._samples.watch, uploader.gauge)
                self._begun, self._started = CpuTimes(), self._clock.monotonic()
                summary = await uploader.run(self._take)
                self._ended = CpuTimes()
                beside.cancel_scope.cancel()
        return summary

    def trial(self, summary: Summary) -> Trial:
        """Return the measurements as a trial."""
        counters, seconds, begun, ended = summary.counters, summary.seconds, self._begun, self._ended
        return Trial(
            choice=self._choice,
            files=counters.uploaded,
            failed=counters.found - counters.uploaded,
            bytes=counters.bytes_uploaded,
            seconds=seconds,
            first_file=self._first_file,
            api=self._transport.api.requests(),
            storage=self._transport.storage.requests(),
            retries=counters.retries,
            came_to=counters.concurrency,
            starved=self._samples.starved,
            sending=self._samples.sending,
            recording=self._samples.recording,
            loop_cpu=(ended.thread - begun.thread) / seconds if seconds else 0.0,
            cpu=(ended.process - begun.process) / seconds if seconds else 0.0,
            machine_cpu=ended.busy_share(begun),
        )

    def _watched(self, options: TransportOptions, clock: Clock) -> MeasuredTransport:
        self._transport = MeasuredTransport(options, clock)
        return self._transport

    async def _take(self, results: Sequence[Result]) -> None:
        self._settled(results)
        for result in results:
            if result.status in DONE:
                self._first_file = self._first_file or self._clock.monotonic() - self._started
            elif self.reason is None:
                self.reason = result.error
