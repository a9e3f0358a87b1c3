"""The required ratios between figures of one run, and whether they were reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Measured, Results, speed_over

BEST_PEER, LINE = "best peer", "the link's rate"


@dataclass(frozen=True, slots=True)
class Requirement:
    """In this scenario `client` must be at least `least` times as fast as `against`."""

    scenario: str
    client: str
    against: str
    least: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One requirement with its result. `reached` is None if it was not measured."""

    what: str
    against: str
    required: str
    measured: str
    reached: bool | None


REQUIREMENTS = (
    Requirement("small", "bulkup", "s5cmd", 2.0),
    Requirement("small", "bulkup", "rclone", 1.3),
    Requirement("small", "bulkup", "obstore", 1.1),
    Requirement("small", "bulkup", "curl", 0.6),
    Requirement("https", "bulkup", "s5cmd", 4.0),
    Requirement("https", "bulkup", "rclone", 1.3),
    Requirement("https", "bulkup", "obstore", 1.1),
    Requirement("large", "bulkup", "reference", 0.85),
    Requirement("large", "bulkup-none", BEST_PEER, 1.2),
    Requirement("wan", "bulkup", LINE, 0.9),
    Requirement("wan", "bulkup", BEST_PEER, 1.0),
)
_MOST_TIME, _MOST_MEMORY = 3.0, 1.25


def verdicts(results: Results) -> list[Verdict]:
    """Return the result of every requirement, including those of scenarios that were not measured."""
    scenarios = {one.name: one for one in results.scenarios}
    uploads = [_judged(one, scenarios.get(one.scenario), results) for one in REQUIREMENTS]
    return [*uploads, *_rescan(results)]


def _judged(asked: Requirement, scenario: Measured | None, results: Results) -> Verdict:
    if scenario is None:
        why = results.missing.get(asked.scenario, "not measured")
        return Verdict(asked.scenario, asked.against, f">= {asked.least:.2f}", why, reached=None)
    client = next((one for one in scenario.clients if one.client == asked.client), None)
    what = f"{scenario.title}: {client.label if client else asked.client}"
    ratio, against = _ratio(asked, scenario)
    if ratio is None:
        return Verdict(what, against, f">= {asked.least:.2f}", _why(asked, scenario), reached=None)
    return Verdict(what, against, f">= {asked.least:.2f}", f"{ratio:.2f}", reached=ratio >= asked.least)


def _ratio(asked: Requirement, scenario: Measured) -> tuple[float | None, str]:
    own = scenario.find(asked.client)
    if asked.against == LINE:
        return (scenario.line_seconds / own.seconds if own else None), LINE
    if asked.against == BEST_PEER:
        best = scenario.best_peer()
        return speed_over(own, best), f"{BEST_PEER}, {best.label}" if best else BEST_PEER
    other = scenario.find(asked.against)
    return speed_over(own, other), other.label if other else asked.against


def _why(asked: Requirement, scenario: Measured) -> str:
    problems = [one.problem for one in scenario.clients if one.client in (asked.client, asked.against) and one.problem]
    return problems[0] if problems else "not measured"


def _rescan(results: Results) -> list[Verdict]:
    figures = results.rescan
    files = f"{figures['files']:,} files" if figures else "1,000,000 files"
    told: tuple[tuple[str, str, float, Callable[[], float]], ...] = (
        (f"{files} already uploaded", "`find -printf`, its time", _MOST_TIME, lambda: figures["time_ratio"]),
        (f"peak memory, {files}, first or second run", "10,000 files", _MOST_MEMORY, lambda: figures["peak_ratio"]),
    )
    if not figures:
        why = results.missing.get("rescan", "not measured")
        return [Verdict(what, against, f"<= {most:.2f}", why, reached=None) for what, against, most, _ in told]
    return [
        Verdict(what, against, f"<= {most:.2f}", f"{got():.2f}", reached=got() <= most)
        for what, against, most, got in told
    ]
