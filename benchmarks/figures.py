"""The results: medians of every client, and speeds as ratios. All are plain values that convert to JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from benchmarks.rounds import Runs
from benchmarks.scenarios import SCENARIOS, Scenario

_EACH = ("every", "every_cpu")  # tuples, which are lists in JSON


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds of one client: seconds, CPU seconds of the client and of the store, and its peak in MiB.

    `seconds` is 0 if the client did not run or failed, and `problem` has the reason. `every` and `every_cpu` have the
    seconds and the CPU seconds of each round.
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
    every_cpu: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The day, bulkup's revision, and the machine's load over one minute before the scenario."""

    when: str = ""
    revision: str = ""
    load: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario: files, bytes, seconds at the rate of the link alone (0 without a link), the figures of each
    client, and the circumstances."""

    name: str
    title: str
    files: int
    bytes: int
    line_seconds: float
    note: str
    clients: tuple[Figures, ...]
    circumstances: Circumstances = Circumstances()

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
        tuple(one.cpu for one in taken),
    )


def measured(scenario: Scenario, runs: Sequence[Runs], circumstances: Circumstances) -> Measured:
    """Return the figures of one scenario."""
    size = sum(scenario.sizes)
    line = scenario.link.seconds(size) if scenario.link else 0.0
    clients = tuple(figures_of(one) for one in runs)
    files = len(scenario.sizes)
    return Measured(scenario.name, scenario.title, files, size, line, scenario.note, clients, circumstances)


def median(values: Any) -> float:
    """Return the median of the values, 0 for none."""
    known = list(values)
    return float(statistics.median(known)) if known else 0.0


def speed_over(one: Figures | None, other: Figures | None) -> float | None:
    """Return the speed of `one` divided by that of `other`, None if either did not run."""
    return other.seconds / one.seconds if one and other else None


def cpu_ratio(one: Figures, other: Figures) -> float:
    """Return the median of the ratios of CPU seconds in each round, in which the two ran one after the other."""
    return median(own / theirs for own, theirs in zip(one.every_cpu, other.every_cpu, strict=True))


def to_json(results: Results) -> bytes:
    """Return the results as JSON, which `from_json` reads."""
    return orjson.dumps(results, option=orjson.OPT_INDENT_2)


def from_json(data: bytes) -> Results:
    """Return the results in the JSON that `to_json` wrote."""
    raw = orjson.loads(data)
    return Results(**{**raw, "scenarios": tuple(_measured_from(one) for one in raw["scenarios"])})


def _measured_from(raw: dict[str, Any]) -> Measured:
    clients = [Figures(**{**one, **{name: tuple(one[name]) for name in _EACH}}) for one in raw["clients"]]
    circumstances = Circumstances(**raw["circumstances"])
    return Measured(**{**raw, "clients": tuple(clients), "circumstances": circumstances})


def together(earlier: Results, later: Results) -> Results:
    """Return the later results, completed by earlier scenarios that they lack."""
    names = {one.name for one in later.scenarios} | set(later.missing)
    kept = [one for one in earlier.scenarios if one.name not in names]
    done = {one.name for one in later.scenarios} | ({"rescan"} if later.rescan else set())
    missing = {name: why for name, why in {**earlier.missing, **later.missing}.items() if name not in done}
    every = sorted([*kept, *later.scenarios], key=lambda one: SCENARIOS.index(one.name))
    notes = list(dict.fromkeys([*earlier.machine.get("notes", ()), *later.machine["notes"]]))
    return replace(
        later,
        machine={**later.machine, "notes": notes},
        scenarios=tuple(every),
        rescan=later.rescan or earlier.rescan,
        missing=missing,
    )


def comparable(one: Results, machine: Mapping[str, Any]) -> bool:
    """Return whether the figures are those of this machine."""
    return all(one.machine.get(name) == machine[name] for name in ("cores", "processor", "kernel", "python"))
