"""The figures of a run as metric families of Prometheus. They are read when somebody asks for them.

Names and labels are stable, as those of log events are; docs/how-to/metrics.md lists them. Every metric has the label
`profile`, so that the files of several profiles can lie in one folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bulkup._version import __version__
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Gauge
from bulkup.model.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_SETTLED = ("uploaded", "skipped", "failed", "rejected", "changed", "unreadable")
_LONGEST_REASON = 120  # characters


@dataclass(slots=True)
class RunTimes:
    """Unix times about a run, None before the moment: its start and end, and the end of the last success."""

    started: float
    ended: float | None = None
    exit_code: int | None = None
    last_success: float | None = None


class RunMetrics:
    """A collector for a registry of prometheus_client. It may be asked from another thread while the run goes on."""

    def __init__(self, profile: str, provider: str, gauge: Gauge, times: RunTimes) -> None:
        self._profile = profile
        self._provider = provider
        self._gauge = gauge
        self._times = times

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their present values."""
        yield from self._about_the_run()
        yield from self._files_and_bytes()
        yield from self._service()
        yield from self._state_of_the_pipeline()

    def _about_the_run(self) -> Iterator[Metric]:
        times = self._times
        yield self._one("bulkup_info", "Version and provider.", 1, version=__version__, provider=self._provider)
        yield self._one("bulkup_run_active", "Whether a run goes on (1) or has ended (0).", float(times.ended is None))
        yield self._one("bulkup_run_start_timestamp_seconds", "When the last run began.", times.started)
        yield self._one("bulkup_run_end_timestamp_seconds", "When the last run ended.", times.ended)
        yield self._one("bulkup_run_exit_code", "The exit code of the last run.", times.exit_code)
        yield self._one(
            "bulkup_last_success_timestamp_seconds", "When a run last ended with exit code 0.", times.last_success
        )

    def _files_and_bytes(self) -> Iterator[Metric]:
        counters = self._gauge.counters
        files = self._counter("bulkup_files", "Files of the run that are settled, by result.", "result")
        for name in _SETTLED:
            files.add_metric([self._profile, name], getattr(counters, name))
        yield files
        yield self._one("bulkup_files_found", "Files that the run has found.", counters.found)
        yield self._one("bulkup_files_remaining", "Files that were found and are not settled.", counters.remaining)
        failures = self._counter("bulkup_failures", "Files that were not uploaded, by reason.", "result", "reason")
        for (state, reason), number in list(counters.reasons.items()):
            failures.add_metric([self._profile, state, reason[:_LONGEST_REASON]], number)
        yield failures
        yield self._total("bulkup_unverified_files", "Uploaded files whose bytes nothing proves.", counters.unverified)
        yield self._total("bulkup_sent_bytes", "Bytes sent, also by attempts that failed.", counters.bytes_sent)
        yield self._total("bulkup_uploaded_bytes", "Bytes of uploaded files.", counters.bytes_uploaded)
        yield self._one("bulkup_found_bytes", "Bytes of the files that were found.", counters.bytes_found)

    def _service(self) -> Iterator[Metric]:
        counters = self._gauge.counters
        yield self._total("bulkup_presign_calls", "Calls for upload URLs.", counters.presign_calls)
        yield self._total("bulkup_presigned_files", "Upload URLs issued.", counters.presign_files)
        yield self._total("bulkup_renewed_urls", "Upload URLs that replaced an expired one.", counters.presign_renewed)
        yield self._total("bulkup_retries", "Attempts and calls that were repeated.", counters.retries)
        yield self._histogram("bulkup_presign_seconds", "Duration of calls for upload URLs.", counters.presign_seconds)
        yield self._histogram("bulkup_url_age_seconds", "Age of upload URLs when they were used.", counters.url_age)

    def _state_of_the_pipeline(self) -> Iterator[Metric]:
        yield self._one("bulkup_concurrency", "The most files sent at a time.", self._gauge.counters.concurrency)
        stages = self._gauge_family("bulkup_stage_files", "Files at each stage.", "stage")
        for stage, number in dict(self._gauge.depths()).items():
            stages.add_metric([self._profile, stage], number)
        yield stages

    def _one(self, name: str, about: str, value: float | None, **labels: str) -> GaugeMetricFamily:
        family = self._gauge_family(name, about, *labels)
        if value is not None:
            family.add_metric([self._profile, *labels.values()], value)
        return family

    def _gauge_family(self, name: str, about: str, *labels: str) -> GaugeMetricFamily:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # of an extra

        return GaugeMetricFamily(name, about, labels=["profile", *labels])

    def _total(self, name: str, about: str, value: float) -> CounterMetricFamily:
        family = self._counter(name, about)
        family.add_metric([self._profile], value)
        return family

    def _counter(self, name: str, about: str, *labels: str) -> CounterMetricFamily:
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415  # of an extra

        return CounterMetricFamily(name, about, labels=["profile", *labels])

    def _histogram(self, name: str, about: str, found: Histogram) -> Metric:
        from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415  # of an extra

        sums = list(itertools.accumulate(found.counts))
        bounds = [*(f"{bound:g}" for bound in found.bounds), "+Inf"]
        family = HistogramMetricFamily(name, about, labels=["profile"])
        family.add_metric([self._profile], list(zip(bounds, map(float, sums), strict=True)), found.sum)
        return family
