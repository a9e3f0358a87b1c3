"""Computes the progress of a run from its figures: totals, rates, percentage, remaining time.

The time is passed in; no I/O. The totals depend on both walks:

- the scan is done: the totals are those of the files found
- the counting walk is complete: the totals are those that it counted, or of the files found if they are more
- neither: the totals are the larger of both, and say "at least"
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Counted, Counters, Gauge
from bulkup.model.progress import Progress

_FILE = 128 * 1024  # bytes that take at least as long as the request of a file, as in the controller's goodput
_STEPS = 100  # samples in a window


@dataclass(frozen=True, slots=True)
class MeterOptions:
    """Times in seconds.

    Rates are those of the last `window`. The remaining time is computed from the rates of the last `eta_window`,
    because large and small files alternate. It is unknown in the first `eta_after`. Of the files that are sent, `files`
    are named.
    """

    window: float = 10.0
    eta_window: float = 60.0
    eta_after: float = 1.0
    files: int = 5


DEFAULT_OPTIONS = MeterOptions()


class SlidingRate:
    """The growth of a total per second, averaged over a sliding window of `window` seconds.

    At least the last two samples are kept, so samples may be further apart than the window. Samples that are close
    together replace one another, so their number is bounded.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._step = window / _STEPS
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, total: int) -> None:
        """Add a sample of the total at `now` (monotonic seconds)."""
        samples = self._samples
        if len(samples) > 1 and now - samples[-2][0] < self._step:
            samples.pop()
        samples.append((now, total))
        # The last sample before the window is kept: without it the window would be too short.
        while len(samples) > 2 and samples[1][0] <= now - self._window:
            samples.popleft()

    def restart(self) -> None:
        """Forget the past, but for the last sample."""
        while len(self._samples) > 1:
            self._samples.popleft()

    def per_second(self) -> float:
        """Return the growth per second up to the last sample, 0 with fewer than two samples."""
        if not self._samples:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if end > start else 0.0


class Totals(NamedTuple):
    """The finished files and bytes, and all of them. `known` says that no more will be found."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    known: bool


def totals(counters: Counters, counted: Counted) -> Totals:
    """Return the finished work and all work.

    Files that an earlier run settled are done as soon as the counting walk has met them, before the scanner has.
    """
    if counters.scan_done:
        return Totals(counters.settled, counters.found, counters.bytes_done, counters.bytes_found, known=True)
    ahead = max(0, counted.settled - (counters.skipped - counters.unsupported))
    bytes_ahead = max(0, counted.bytes_settled - counters.bytes_skipped)
    files, size = max(counters.found, counted.files), max(counters.bytes_found, counted.bytes)
    return Totals(
        min(files, counters.settled + ahead),
        files,
        min(size, counters.bytes_settled + counters.bytes_moving + bytes_ahead),
        size,
        known=counted.complete,
    )


def percent(counters: Counters, so_far: Totals) -> int | None:
    """Return the finished share in whole per cent, by bytes, or by files if all are empty.

    It is None until the total is known. It is rounded down, and 100 only if the scan is done and no file remains.
    """
    if not so_far.known:
        return None
    if counters.scan_done and not counters.remaining:
        return 100
    if so_far.bytes:
        share = 100 * so_far.bytes_done // so_far.bytes
    else:
        share = 100 * so_far.files_done // so_far.files if so_far.files else 0
    return max(0, min(99, share))


class Speed(NamedTuple):
    """The progress per second: files that ended, and bytes of files that were uploaded or are being sent."""

    files: float
    bytes: float


def eta_seconds(counters: Counters, so_far: Totals, speed: Speed) -> float | None:
    """Return the seconds left at this speed. None until the total is known, or without any progress.

    The remaining files take time for their requests, the remaining bytes for the link, and the longer time counts. If
    only large files were sent, the number of files per second says little about small ones: then a request counts as a
    number of bytes.
    """
    if not so_far.known:
        return None
    if counters.scan_done and not counters.remaining:
        return 0.0
    files, size = so_far.files - so_far.files_done, so_far.bytes - so_far.bytes_done
    requests = speed.files + speed.bytes / _FILE
    if requests <= 0 or (size and speed.bytes <= 0):
        return None
    return max(files / requests, size / speed.bytes if size else 0.0)


class ProgressMeter:
    """Computes the progress of a run, which began at `began` (monotonic seconds), from samples of its figures.

    All readers share one: each sample improves the rates of the next one.
    """

    def __init__(self, gauge: Gauge, run: str, began: float, options: MeterOptions = DEFAULT_OPTIONS) -> None:
        self._gauge = gauge
        self._run = run
        self._began = began
        self._options = options
        self._files, self._bytes = SlidingRate(options.window), SlidingRate(options.window)
        self._ended, self._progressed = SlidingRate(options.eta_window), SlidingRate(options.eta_window)
        self._was_paused = False
        self._add(began)

    def sample(self, now: float) -> Progress:
        """Return the progress at `now` (monotonic seconds)."""
        state = self._gauge.state()
        if self._was_paused and state != "paused":
            # A time without progress says nothing about the speed of what is left.
            self._ended.restart()
            self._progressed.restart()
        self._was_paused = state == "paused"
        self._add(now)
        gauge, counters, counted = self._gauge, self._gauge.counters, self._gauge.counted
        elapsed = max(0.0, now - self._began)
        so_far = totals(counters, counted)
        has_speed = elapsed >= self._options.eta_after
        speed = Speed(self._ended.per_second(), self._progressed.per_second()) if has_speed else Speed(0.0, 0.0)
        return Progress(
            run=self._run,
            elapsed=elapsed,
            files_done=so_far.files_done,
            files_total=so_far.files,
            bytes_done=so_far.bytes_done,
            bytes_total=so_far.bytes,
            total_known=so_far.known,
            state=state,
            percent=percent(counters, so_far),
            eta=None if state == "paused" else eta_seconds(counters, so_far, speed),
            counting=counted.running,
            scan_done=counters.scan_done,
            files_per_second=max(0.0, self._files.per_second()),
            bytes_per_second=self._bytes.per_second(),
            mean_files_per_second=counters.uploaded / elapsed if elapsed else 0.0,
            mean_bytes_per_second=(counters.bytes_uploaded + counters.bytes_moving) / elapsed if elapsed else 0.0,
            uploaded=counters.uploaded,
            skipped=counters.skipped,
            failed=counters.failed,
            rejected=counters.rejected,
            changed=counters.changed,
            unreadable=counters.unreadable,
            unverified=counters.unverified,
            retries=counters.retries,
            bytes_uploaded=counters.bytes_uploaded,
            bytes_sent=counters.bytes_sent,
            concurrency=counters.concurrency,
            sending=gauge.sending(now, self._options.files),
            depths=gauge.depths(),
            workers=gauge.workers(),
        )

    def _add(self, now: float) -> None:
        counters = self._gauge.counters
        self._files.add(now, counters.uploaded)
        self._bytes.add(now, counters.bytes_sent)
        self._ended.add(now, counters.uploaded + counters.failed)
        self._progressed.add(now, counters.bytes_uploaded + counters.bytes_moving)
