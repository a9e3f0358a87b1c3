"""The record that a run keeps of itself in the journal: figures over time, durations, files that stand out, settings.

`RunRecord` is the shape that readers get (`bulkup.journal.run_records`), and that the run writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkup.helpers.quick_dataclass import dataclass

# The stages whose depths a sample has, in this order.
STAGES = ("hashing", "grouping", "requesting", "ready", "waiting", "sending", "closing", "recording")


class RunSample(NamedTuple):
    """The figures of a run at one moment, `at` seconds after its begin.

    `files` that it settled itself, `bytes` that it sent, `failures` and `retries` are totals up to then. A failure is a
    file that was not uploaded: failed, rejected, changed or unreadable. `concurrency` is the worker limit, and `depths`
    are the files at each of the `STAGES`.
    """

    at: float
    files: int
    bytes: int
    failures: int
    retries: int
    concurrency: int
    depths: tuple[int, ...]


class Durations(NamedTuple):
    """A histogram of durations in seconds.

    `counts[i]` are those up to `bounds[i]` and above the one before; the last count has no bound. `sum` is their sum.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def total(self) -> int:
        """The number of durations."""
        return sum(self.counts)


class NotedFile(NamedTuple):
    """A file that stands out: the real path of its source, its path in it, its size in bytes, how long sending took.

    `seconds` are those of the attempt that succeeded; of a file sent in parts, those from its first part to its last.
    """

    source: bytes
    path: bytes
    size: int
    seconds: float
    attempts: int


NO_DURATIONS = Durations((), (0,), 0.0)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run noted of itself, up to the last time that it wrote.

    `version` is that of bulkup, `profile` the name of the profile, None without one, and `host` that of the machine.
    `settings` are those that differ from their defaults, as text without secrets. `summary` is the summary object so
    far; its `exit_code` is None while the run goes on. `error` and `hint` are those of the error that ended it.

    `samples` are equally far apart but for the last one. `api` are the durations of requests to the service's API,
    `small_files` those of successful attempts to send up to 1 MiB, and `large_files` those of more bytes. `url_age`
    are the ages of upload URLs when they were used.
    """

    version: str
    profile: str | None
    host: str
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    summary: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    error: str | None = None
    hint: str | None = None
    samples: Sequence[RunSample] = ()
    api: Durations = NO_DURATIONS
    small_files: Durations = NO_DURATIONS
    large_files: Durations = NO_DURATIONS
    url_age: Durations = NO_DURATIONS
    slowest: Sequence[NotedFile] = ()
    largest: Sequence[NotedFile] = ()
