"""Snapshots of a run's progress, for tests of their presentation."""

from __future__ import annotations

from typing import Any

from bulkup.model.progress import Progress, SendingFile

MIB = 1024**2


def progress(**figures: Any) -> Progress:
    """Return the progress of a run that has just begun, with other figures where they are given."""
    nothing: dict[str, Any] = {"files_done": 0, "files_total": 0, "bytes_done": 0, "bytes_total": 0}
    return Progress(**{"run": "r1", "elapsed": 0.0, "total_known": False, **nothing, **figures})


HALF = progress(
    elapsed=18.2,
    files_done=21_400,
    files_total=50_991,
    bytes_done=219_043_430,
    bytes_total=521_142_272,
    total_known=True,
    percent=42,
    eta=25.0,
    files_per_second=1204.0,
    bytes_per_second=11.8 * MIB,
    mean_files_per_second=1180.0,
    mean_bytes_per_second=11.5 * MIB,
    failed=3,
    retries=12,
    concurrency=64,
    depths={"hashing": 0, "requesting": 200, "ready": 118, "sending": 32},
    sending=(
        SendingFile("/data", b"day 1/interviews/take 7/camera A.mov", 1024 * MIB, 450 * MIB, 38.0),
        SendingFile("/data", b"day 2/n\xc3\xb6tes\x1b[2J.txt", 4_000, 4_000, 5.0),
        SendingFile("/data", b"day 2/quick.txt", 4_000, 0, 0.1),
    ),
)
COUNTING = progress(
    elapsed=1.0, files_done=1_010, files_total=12_345, bytes_done=2**32, bytes_total=2**40, counting=True
)
