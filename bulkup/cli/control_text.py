"""The state of a run as lines for people, from the answer of its control socket. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.api.control.progress_message import progress_of
from bulkup.errors import UsageError
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.formatting import rate_text
from bulkup.reports.progress_text import progress_line
from bulkup.reports.safe_text import printable


def control_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the lines about a run. Raises `UsageError` for an answer of another version."""
    try:
        progress = progress_of(found)
    except ValueError as error:
        raise UsageError("the run's answer cannot be read: it may be another version") from error
    profile = f" of profile {printable(str(found['profile']))}" if found.get("profile") else ""
    lines = [f"Run {printable(progress.run)}{profile}: {progress.state} (process {found.get('pid', 'unknown')})"]
    lines.append(f"  {progress_line(progress)}")
    if limits := found.get("limits"):
        lines.append(f"  {_limits_text(limits, progress.concurrency)}")
    return lines


def end_line(exit_code: int) -> str:
    """Return the line about the end of a run."""
    return f"The run has ended: {exit_code_text(exit_code)} (exit code {exit_code})."


def _limits_text(limits: Mapping[str, Any], workers: int) -> str:
    concurrency, bwlimit, rate = limits.get("concurrency"), limits.get("bwlimit"), limits.get("bytes_per_second")
    parts = [f"concurrency {concurrency}" + (f" ({workers} now)" if concurrency == "auto" else "")]
    now = "" if rate is None else f" ({rate_text(rate)} now)"
    parts.append(f"bwlimit {printable(str(bwlimit))}{now}" if bwlimit is not None else "no bwlimit")
    others = {name: limits[name] for name in ("max_duration", "until", "max_files", "max_bytes") if limits.get(name)}
    return ", ".join([*parts, *(f"{name} {printable(str(value))}" for name, value in others.items())])
