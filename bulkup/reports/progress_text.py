"""The progress of a run in words: the phrases of the display, and the line of the log."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.model.progress import Progress
from bulkup.reports.formatting import count_text, duration_text, files_rate_text, rate_text, size_text
from bulkup.reports.safe_text import printable

PROBLEMS = ("failed", "rejected", "changed", "unreadable", "unverified")


def progress_line(progress: Progress) -> str:
    """Return all figures in one line: the log has it where there is no terminal."""
    parts = [share_text(progress), files_text(progress), bytes_text(progress), files_speed_text(progress)]
    parts += [bytes_speed_text(progress), f"{duration_text(progress.elapsed)} elapsed", eta_text(progress)]
    parts.append(problems_text(progress))
    return ", ".join(part for part in parts if part)


def share_text(progress: Progress) -> str:
    """Return the percentage, or what is still done to know it."""
    if progress.percent is not None:
        return f"{progress.percent} %"
    return "counting" if progress.counting else "scanning"


def files_text(progress: Progress) -> str:
    """Return the number of finished files and of all: `21,400 of at least 50,991 files`."""
    return f"{progress.files_done:,} of {_least(progress)}{count_text(progress.files_total, 'file')}"


def bytes_text(progress: Progress) -> str:
    """Return the finished bytes and all: `208.9 MiB of 497.0 MiB`."""
    return f"{size_text(progress.bytes_done)} of {_least(progress)}{size_text(progress.bytes_total)}"


def files_speed_text(progress: Progress) -> str:
    """Return the files per second: `1,204 files/s (mean 1,180)`."""
    mean = files_rate_text(progress.mean_files_per_second).removesuffix(" files/s")
    return f"{files_rate_text(progress.files_per_second)} (mean {mean})"


def bytes_speed_text(progress: Progress) -> str:
    """Return the bytes per second: `11.8 MiB/s (mean 11.5 MiB/s)`."""
    return f"{rate_text(progress.bytes_per_second)} (mean {rate_text(progress.mean_bytes_per_second)})"


def eta_text(progress: Progress) -> str:
    """Return the remaining time, nothing at the end of a run. A paused run has none."""
    if progress.percent == 100:
        return ""
    if progress.state == "paused":
        return "paused"
    return "time left unknown" if progress.eta is None else f"{duration_text(progress.eta)} left"


def problems_text(progress: Progress) -> str:
    """Return the numbers of files with a problem, and of retries: `3 failed, 12 retries`."""
    retries = "retry" if progress.retries == 1 else "retries"
    return listed({**{name: getattr(progress, name) for name in PROBLEMS}, retries: progress.retries})


def listed(figures: Mapping[str, int]) -> str:
    """Return the figures that are not 0, with their names."""
    return ", ".join(f"{number:,} {printable(name)}" for name, number in figures.items() if number)


def _least(progress: Progress) -> str:
    return "" if progress.total_known else "at least "
