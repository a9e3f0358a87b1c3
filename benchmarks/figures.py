"""The results: medians of every client, and speeds as ratios. All are plain values that convert to JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from benchmarks.rounds import Runs
from benchmarks.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds of one client: seconds, CPU seconds of the client and of the store, and its peak in MiB.

    `seconds` is 0 if the client did not run or failed, and `problem` has the reason.
    """

    client: str
    label: str
    version: str
    peer: bool
    problem: str
    rounds: int
    seconds: float
    cpu: float
    store_cpu: float
    peak: float
    every: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario: files, bytes, seconds at the rate of the link alone (0 without a link), and the figures of each
    client."""

    name: str
    title: str
    files: int
    bytes: int
    line_seconds: float
    note: str
    clients: tuple[Figures, ...]

    def find(self, client: str) -> Figures | None:
        """Return the figures of a client that ran without a problem."""
        return next((one for one in self.clients if one.client == client and one.seconds), None)

    def best_peer(self) -> Figures | None:
        """Return the fastest client that could be used instead of bulkup."""
        return min((one for one in self.clients if one.peer and one.seconds), key=lambda one: one.seconds, default=None)


@dataclass(frozen=True, slots=True)
class Results:
    """All figures, the machine, and the scenarios that could not run with their reasons."""

    machine: dict[str, Any]
    scenarios: tuple[Measured, ...] = ()
    rescan: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def figures_of(runs: Runs) -> Figures:
    """Return the medians of one client's runs."""
    client, taken = runs.client, [] if runs.problem else runs.taken
    return Figures(
        client.name,
        client.label,
        runs.version,
        client.peer,
        runs.problem,
        len(taken),
        median(one.seconds for one in taken),
        median(one.cpu for one in taken),
        median(one.store_cpu for one in taken),
        max((one.peak for one in taken), default=0.0),
        tuple(one.seconds for one in taken),
    )


def measured(scenario: Scenario, runs: Sequence[Runs]) -> Measured:
    """Return the figures of one scenario."""
    size = sum(scenario.sizes)
    line = scenario.link.seconds(size) if scenario.link else 0.0
    clients = tuple(figures_of(one) for one in runs)
    return Measured(scenario.name, scenario.title, len(scenario.sizes), size, line, scenario.note, clients)


def median(values: Any) -> float:
    """Return the median of the values, 0 for none."""
    known = list(values)
    return float(statistics.median(known)) if known else 0.0


def speed_over(one: Figures | None, other: Figures | None) -> float | None:
    """Return the speed of `one` divided by that of `other`, None if either did not run."""
    return other.seconds / one.seconds if one and other else None


def to_json(results: Results) -> bytes:
    """Return the results as JSON, which `from_json` reads."""
    return orjson.dumps(results, option=orjson.OPT_INDENT_2)


def from_json(data: bytes) -> Results:
    """Return the results in the JSON that `to_json` wrote."""
    raw = orjson.loads(data)
    scenarios = tuple(
        Measured(**{**one, "clients": tuple(Figures(**{**f, "every": tuple(f["every"])}) for f in one["clients"])})
        for one in raw["scenarios"]
    )
    return Results(**{**raw, "scenarios": scenarios})


def together(earlier: Results, later: Results) -> Results:
    """Return the later results, completed by earlier scenarios that they lack."""
    names = {one.name for one in later.scenarios} | set(later.missing)
    kept = [one for one in earlier.scenarios if one.name not in names]
    missing = {name: why for name, why in earlier.missing.items() if name not in names}
    order = {name: number for number, name in enumerate(("small", "https", "mixed", "large", "wan"))}
    every = sorted([*kept, *later.scenarios], key=lambda one: order.get(one.name, len(order)))
    return Results(later.machine, tuple(every), later.rescan or earlier.rescan, {**missing, **later.missing})
