"""Sums the figures of all workers into the counters of the run, and keeps a row for each worker. Pure.

A worker reports totals of its session. Those of a session that has ended stay in the sums, but for the bytes under way.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.counters import Counters
from bulkup.model.files import FoundFile, Identity, Source
from bulkup.model.histogram import Histogram
from bulkup.model.progress import SendingFile, WorkerProgress
from bulkup.model.sent_files import TopFiles

_SUMS = ("bytes_sent", "presign_calls", "presign_files", "presign_renewed", "retries", "reused_tickets")
_MOMENTS = ("bytes_moving", "concurrency")
_HISTOGRAMS = ("presign_seconds", "url_age", "api_seconds")
_MEMORY = 5.0  # seconds after which an earlier rate counts little


@dataclass(slots=True)
class WorkerFigures:
    """The newest figures of a session. `files` and `bytes` are those of files that it has settled."""

    name: str
    files: int = 0
    bytes: int = 0
    in_flight: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    working: bool = True
    reported_at: float | None = None
    files_before: int = 0
    totals: Mapping[str, Any] | None = None
    depths: Mapping[str, int] | None = None
    sending: Sequence[SendingFile] = ()


class FleetFigures:
    """The figures of all sessions of a run, by epoch."""

    def __init__(self, counters: Counters, sources: Sequence[Source]) -> None:
        self._counters = counters
        self._sources = {source.id: source for source in sources}
        self._workers: dict[int, WorkerFigures] = {}

    def begin(self, epoch: int, name: str) -> WorkerFigures:
        """Return the figures of a new session."""
        figures = self._workers[epoch] = WorkerFigures(name)
        return figures

    def report(
        self,
        epoch: int,
        totals: Mapping[str, Any],
        depths: Mapping[str, int],
        sending: Sequence[tuple[Any, ...]],
        now: float,
    ) -> None:
        """Take a report of a worker at `now` (monotonic seconds)."""
        figures = self._workers[epoch]
        if figures.reported_at is not None and now > figures.reported_at:
            seconds = now - figures.reported_at
            weight = min(1.0, seconds / _MEMORY)
            before = figures.totals or {}
            sent = (totals["bytes_sent"] - before.get("bytes_sent", 0)) / seconds
            figures.bytes_per_second += weight * (sent - figures.bytes_per_second)
            files = (figures.files - figures.files_before) / seconds
            figures.files_per_second += weight * (files - figures.files_per_second)
        figures.reported_at, figures.files_before, figures.totals = now, figures.files, totals
        figures.depths, figures.sending = depths, [SendingFile(*file) for file in sending]
        self._sum()

    def end(self, epoch: int) -> None:
        """Note that a session has ended."""
        figures = self._workers[epoch]
        figures.working, figures.in_flight, figures.sending, figures.depths = False, 0, (), None
        figures.files_per_second = figures.bytes_per_second = 0.0
        self._sum()

    def rows(self) -> tuple[WorkerProgress, ...]:
        """Return a row for each session, the working ones first."""
        ordered = sorted(self._workers.values(), key=lambda one: not one.working)
        return tuple(
            WorkerProgress(
                one.name,
                one.files,
                one.bytes,
                one.files_per_second,
                one.bytes_per_second,
                one.in_flight,
                one.working,
            )
            for one in ordered
        )

    def depths(self) -> dict[str, int]:
        """Return the files at each stage, of all workers together."""
        sums: dict[str, int] = {}
        for one in self._workers.values():
            for name, number in (one.depths or {}).items():
                sums[name] = sums.get(name, 0) + number
        return sums

    def sending(self, most: int) -> tuple[SendingFile, ...]:
        """Return some of the files that are being sent, the oldest attempt first."""
        files = [file for one in self._workers.values() for file in one.sending]
        chosen = sorted(files, key=lambda file: (-file.size, -file.seconds))[:most]
        return tuple(sorted(chosen, key=lambda file: -file.seconds))

    def _sum(self) -> None:
        counters = self._counters
        reported = [one for one in self._workers.values() if one.totals is not None]
        for name in _SUMS:
            setattr(counters, name, sum((one.totals or {})[name] for one in reported))
        working = [one for one in reported if one.working]
        for name in _MOMENTS:
            setattr(counters, name, sum((one.totals or {})[name] for one in working))
        counters.concurrency_peak = max(counters.concurrency_peak, counters.concurrency)
        for name in _HISTOGRAMS:
            _add_up(getattr(counters, name), [(one.totals or {})[name] for one in reported])
        for name in ("small", "large"):
            _add_up(getattr(counters.sent, name), [(one.totals or {})[name] for one in reported])
        for name in ("slowest", "largest"):
            setattr(counters.sent, name, self._top([(one.totals or {})[name] for one in reported], name))

    def _top(self, lists: Sequence[Sequence[tuple[Any, ...]]], name: str) -> TopFiles:
        top = TopFiles()
        for source, path, identity, seconds, attempts in itertools.chain.from_iterable(lists):
            file = FoundFile(self._sources[source], path, Identity(*identity))
            rank = seconds if name == "slowest" else file.identity.size
            if rank > top.floor:
                top.note(rank, file, seconds, attempts)
        return top


def _add_up(histogram: Histogram, parts: Sequence[tuple[Sequence[int], float]]) -> None:
    histogram.counts = [sum(column) for column in zip(*(counts for counts, _ in parts), strict=True)]
    histogram.sum = sum(total for _, total in parts)
