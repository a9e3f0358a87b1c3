"""Measurements during a trial of a bench."""

from __future__ import annotations

import pytest

from bulkup.api.bench.measuring import API_CALLS, STORAGE_REQUESTS, CpuTimes, QueueSamples, RequestStats
from bulkup.pipeline.tuning.cores import Ticks
from bulkup.reports.bench_trials import RequestFigures


def test_request_statistics() -> None:
    """Throttled requests and those without an answer count as failed."""
    tally = RequestStats(STORAGE_REQUESTS)
    assert tally.requests() == RequestFigures()
    for seconds, status in ((0.4, 200), (0.1, 503), (0.2, 429), (0.3, 403), (0.5, None)):
        tally.add(seconds, status)
    tally.add(0.6, 500, retry_after=True)
    assert tally.requests() == RequestFigures(6, throttled=3, failed=5, median=0.3, p95=0.6)


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("retry_after", [False, True])
def test_an_api_that_is_not_reachable_does_not_throttle(status: int, retry_after: bool) -> None:
    """A run counts these answers of an API as an outage (docs/glossary.md, "throttle"), so fewer calls do not help."""
    tally = RequestStats(API_CALLS)
    tally.add(0.1, status, retry_after=retry_after)
    assert tally.requests() == RequestFigures(1, throttled=0, failed=1, median=0.1, p95=0.1)


def test_an_api_throttles_with_429_and_with_retry_after() -> None:
    tally = RequestStats(API_CALLS)
    tally.add(0.1, 429)
    tally.add(0.1, 403, retry_after=True)
    tally.add(0.1, 403)
    assert tally.requests() == RequestFigures(3, throttled=2, failed=3, median=0.1, p95=0.1)


def test_samples_of_the_queues() -> None:
    """Workers starve if they have nothing to send while URLs are requested. Start and end do not count."""
    samples = QueueSamples(workers=4)
    assert (samples.starved, samples.sending, samples.recording) == (0.0, 0.0, 0.0)
    samples.add({"sending": 0, "requesting": 0, "ready": 0, "grouping": 0, "hashing": 0})
    samples.add({"sending": 3, "recording": 1})
    samples.add({"requesting": 9, "sending": 1})
    samples.add({"requesting": 9, "sending": 4, "recording": 2})
    samples.add({"requesting": 9, "sending": 3, "ready": 1})
    samples.add({"grouping": 9, "sending": 4})
    assert (samples.starved, samples.sending, samples.recording) == (0.25, 3.0, 0.5)
    found = QueueSamples(workers=0)
    found.add({"requesting": 1, "sending": 9})
    assert found.starved == 1.0


def test_processor_times() -> None:
    """They only grow, and no share exceeds 1."""
    begun = CpuTimes()
    sum(number * number for number in range(200_000))
    ended = CpuTimes()
    assert ended.thread > begun.thread
    assert ended.process >= begun.process
    share = ended.busy_share(begun)
    assert share is None or 0.0 <= share <= 1.0
    assert ended.busy_share(CpuTimes(machine=None)) is None
    before = CpuTimes(machine=Ticks(idle=6, all=10))
    assert CpuTimes(machine=Ticks(11, 20)).busy_share(before) == 0.5
    assert CpuTimes(machine=Ticks(5, 20)).busy_share(before) == 1.0
    assert CpuTimes(machine=Ticks(7, 10)).busy_share(before) is None
