"""The required ratios between figures of one run, and whether they were reached."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.clients import earlier
from benchmarks.figures import Measured, Results, cpu_ratio, speed_over

BEST_PEER, LINE = "best peer", "the link's rate"
_NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Requirement:
    """In this scenario `client` must be at least `least` times as fast as `against`."""

    scenario: str
    client: str
    against: str
    least: float


@dataclass(frozen=True, slots=True)
class CpuRequirement:
    """In this scenario `client` may use at most `most` times the CPU seconds of `against`."""

    scenario: str
    client: str
    against: str
    most: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One requirement with its result. `reached` is None if it was not measured."""

    what: str
    against: str
    required: str
    measured: str
    reached: bool | None


REQUIREMENTS: tuple[Requirement | CpuRequirement, ...] = (
    Requirement("small", "bulkup", "s5cmd", 1.8),
    Requirement("small", "bulkup", "rclone", 1.4),
    Requirement("small", "bulkup", "obstore", 1.0),
    Requirement("small", "bulkup", "curl", 0.4),
    Requirement("https", "bulkup", "s5cmd", 3.5),
    Requirement("https", "bulkup", "rclone", 1.4),
    Requirement("https", "bulkup", "obstore", 1.0),
    CpuRequirement("cpu", "bulkup", earlier.NAME, 0.5),
    Requirement("mixed", "bulkup", "obstore", 0.8),
    Requirement("mixed", "bulkup", "rclone", 1.5),
    Requirement("wan200", "bulkup", LINE, 0.93),
    Requirement("wan200", "bulkup", BEST_PEER, 1.02),
    Requirement("wan200-bbr", "bulkup", LINE, 0.93),
    Requirement("wan200-bbr", "bulkup", BEST_PEER, 1.02),
    Requirement("wan", "bulkup", BEST_PEER, 0.9),
    Requirement("wan-bbr", "bulkup", BEST_PEER, 0.9),
    Requirement("many", "bulkup", "obstore", 1.2),
    Requirement("many", "bulkup", "rclone", 1.8),
    Requirement("many", "bulkup", "s5cmd", 2.3),
    Requirement("large", "bulkup", "reference", 0.95),
    Requirement("large", "bulkup-none", BEST_PEER, 1.2),
    Requirement("parts", "bulkup", BEST_PEER, 1.0),
    Requirement("small", "bulkup-s3", "bulkup", 1.0),
    # `auto` against a fixed number of workers
    *(Requirement(name, "bulkup", "bulkup-64", 0.97) for name in ("small", "https", "mixed", "wan200", "wan", "many")),
)
_MOST_TIME, _MOST_GROWTH, _MOST_MIB = 2.5, 1.1, 70.0


def verdicts(results: Results) -> list[Verdict]:
    """Return the result of every requirement, including those of scenarios that were not measured."""
    scenarios = {one.name: one for one in results.scenarios}
    return [*(_judged(one, scenarios.get(one.scenario), results) for one in REQUIREMENTS), *_rescan(results)]


def _judged(asked: Requirement | CpuRequirement, scenario: Measured | None, results: Results) -> Verdict:
    required = f"<= {asked.most:.2f}" if isinstance(asked, CpuRequirement) else f">= {asked.least:.2f}"
    if scenario is None:
        return Verdict(asked.scenario, asked.against, required, _why_missing(results, asked.scenario), reached=None)
    client = next((one for one in scenario.clients if one.client == asked.client), None)
    what = f"{scenario.title}: {client.label if client else asked.client}"
    if isinstance(asked, CpuRequirement):
        ratio, against = _cpu_ratio(asked, scenario)
        reached = ratio is not None and ratio <= asked.most
    else:
        ratio, against = _ratio(asked, scenario)
        reached = ratio is not None and ratio >= asked.least
    if ratio is None:
        return Verdict(what, against, required, _why(asked, scenario), reached=None)
    return Verdict(what, against, required, f"{ratio:.2f}", reached=reached)


def _ratio(asked: Requirement, scenario: Measured) -> tuple[float | None, str]:
    own = scenario.find(asked.client)
    if asked.against == LINE:
        return (scenario.line_seconds / own.seconds if own else None), LINE
    if asked.against == BEST_PEER:
        best = scenario.best_peer()
        return speed_over(own, best), f"{BEST_PEER}, {best.label}" if best else BEST_PEER
    other = scenario.find(asked.against)
    return speed_over(own, other), other.label if other else asked.against


def _cpu_ratio(asked: CpuRequirement, scenario: Measured) -> tuple[float | None, str]:
    own, other = scenario.find(asked.client), scenario.find(asked.against)
    against = f"{other.label if other else asked.against}, its CPU time"
    return (cpu_ratio(own, other) if own and other else None), against


def _why(asked: Requirement | CpuRequirement, scenario: Measured) -> str:
    problems = [one.problem for one in scenario.clients if one.client in (asked.client, asked.against) and one.problem]
    return problems[0] if problems else _NOT_MEASURED


def _why_missing(results: Results, scenario: str) -> str:
    return results.missing.get(scenario, _NOT_MEASURED)


def _rescan(results: Results) -> list[Verdict]:
    figures = results.rescan
    files = f"{figures['files']:,} files" if figures else "1,000,000 files"
    judged: tuple[tuple[str, str, float, str, str], ...] = (
        (f"{files} already uploaded", "`find -printf`, its time", _MOST_TIME, "time_ratio", ""),
        (f"peak memory, {files}, first or second run", "10,000 files", _MOST_GROWTH, "peak_ratio", ""),
        (f"peak memory, {files}, first or second run", "", _MOST_MIB, "most_mib", " MiB"),
    )
    if not figures:
        why = _why_missing(results, "rescan")
        return [Verdict(what, against, f"<= {most:.2f}", why, reached=None) for what, against, most, *_ in judged]
    return [
        Verdict(what, against, f"<= {most:.2f}{unit}", f"{figures[name]:.2f}{unit}", reached=figures[name] <= most)
        for what, against, most, name, unit in judged
    ]
