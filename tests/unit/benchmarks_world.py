"""Invented results for the tests of the tables, charts and verdicts of the benchmarks."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Figures, Measured, Results

MACHINE = {
    "when": "2030-01-31",
    "cores": 2,
    "processor": "Example",
    "kernel": "6.1",
    "python": "3.11.7",
    "nginx": "1.22.1",
    "notes": [],
}


def client(name: str, seconds: float, **given: Any) -> Figures:
    """Return a client's figures. A client with 0 seconds did not run."""
    known: dict[str, Any] = {
        "label": name,
        "version": "1.0",
        "peer": not name.startswith("bulkup"),
        "problem": "" if seconds else f"not installed: {name} is not on this machine",
        "rounds": 3 if seconds else 0,
        "cpu": seconds / 2,
        "store_cpu": seconds / 4,
        "peak": 64.0,
        "every": (seconds,) * 3,
    }
    return Figures(name, seconds=seconds, **{**known, **given})


def measured(name: str, *clients: Figures, line_seconds: float = 0.0) -> Measured:
    """Return a scenario of 1,000 files of 10 KiB."""
    return Measured(name, f"1,000 files, {name}", 1_000, 10_240_000, line_seconds, "", clients)


def results(*scenarios: Measured, **given: Any) -> Results:
    """Return the results of these scenarios."""
    return Results(MACHINE, scenarios, **given)
