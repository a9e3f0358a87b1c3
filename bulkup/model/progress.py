"""The progress of a run at one moment, as a value: for the display, log lines, metrics, and users of the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from bulkup.helpers.quick_dataclass import dataclass

RunState = Literal["running", "paused", "stopping", "watching"]


@dataclass(frozen=True, slots=True)
class SendingFile:
    """A file that is being sent.

    `source` and `path` are those of its result. `sent` are the bytes of this attempt, with those that earlier attempts
    sent and that need not be sent again. `seconds` is the time since the attempt began.
    """

    source: str
    path: bytes
    size: int
    sent: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """A worker of a cluster.

    `files` and `bytes` are those that it has settled, `in_flight` the files that it holds. Rates are per second. A
    worker that is not `working` has ended or was lost; others settle its files.
    """

    name: str
    files: int = 0
    bytes: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    in_flight: int = 0
    working: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run, as `Uploader.progress()` returns it.

    `files_done` of `files_total` files are settled, and files that an earlier run settled count as done.
    `bytes_done` has their bytes, and those already sent of files that are being sent. Until `total_known`, the totals
    are those of the files found or counted so far: there are at least as many. `counting` says that the counting walk
    is at work.

    `state` is "paused" after `Uploader.pause()`: no new file is sent, and those under way end. It is "stopping" once
    the run was asked to end early. Between the runs of a watch, `bulkup control` shows "watching".

    `percent` is the share of the bytes that is done, rounded down, or of the files if all are empty. `eta` are the
    seconds left. Both are None while they are unknown: until `total_known`, and `eta` also while no byte is sent or the
    run is paused.

    Rates are per second: those of the last ten seconds, and the means since the run began. Files count that this run
    uploaded. The present rate of bytes counts all that are sent, also by attempts that failed. The mean counts those of
    files that were uploaded or are being sent, so that at the end it is that of the summary.

    The counts of files by state, `retries`, `bytes_uploaded` and `bytes_sent` are as in the summary. `concurrency` is
    the worker limit. `sending` has some of the files that are being sent, the largest ones, with the oldest attempt
    first. `depths` are the files at each stage; `depths["sending"]` counts all that are being sent.
    `workers` has a row for each worker of a cluster, and is empty without one.
    """

    run: str
    elapsed: float
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    total_known: bool
    state: RunState = "running"
    percent: int | None = None
    eta: float | None = None
    counting: bool = False
    scan_done: bool = False
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    mean_files_per_second: float = 0.0
    mean_bytes_per_second: float = 0.0
    uploaded: int = 0
    skipped: int = 0
    failed: int = 0
    rejected: int = 0
    changed: int = 0
    unreadable: int = 0
    unverified: int = 0
    retries: int = 0
    bytes_uploaded: int = 0
    bytes_sent: int = 0
    concurrency: int = 0
    sending: tuple[SendingFile, ...] = ()
    depths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    workers: tuple[WorkerProgress, ...] = ()
