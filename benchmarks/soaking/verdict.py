"""The limits of the figures of a scenario, and whether they are met. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.soaking.scenario import CONCURRENCY, Figures, Scenario
from benchmarks.soaking.watching import Trend

MOST_ATTEMPTS = 1.6  # PUTs per file, if at most `ATTEMPTS_UP_TO` of the requests fail
ATTEMPTS_UP_TO = 0.3
WAITING = 2  # for each call under way, one that failed and waits to be made again
MOST_RUN_OUT = 0.01  # share of the URLs
FLAT_MEMORY = 1.25  # last tenth divided by the first
FLAT_DESCRIPTORS = 1.5  # connections come and go


@dataclass(frozen=True, slots=True)
class Line:
    """One figure as text, with its limit. `met` is None for a figure without a limit."""

    name: str
    value: str
    limit: str = ""
    met: bool | None = None


def lines(scenario: Scenario, figures: Figures) -> list[Line]:
    """Return all figures of a scenario with their limits."""
    return [*_course(scenario, figures), *_files(figures), *_requests(scenario, figures), *_processes(figures)]


def _course(scenario: Scenario, figures: Figures) -> Iterator[Line]:
    codes = collections.Counter(run.code for run in figures.runs)
    exits = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    yield Line("files", f"{figures.files:,}")
    yield Line("seconds", f"{figures.seconds:,.0f}")
    yield Line("kills of the uploader", f"{figures.kills}", f"{scenario.kills}", figures.kills >= scenario.kills)
    yield Line("restarts of the server", f"{figures.restarts}, {figures.server_kills} of them by SIGKILL")
    yield Line("runs", f"{len(figures.runs)} (exit code: {exits})")
    yield _none("runs with an unexpected exit code", len(figures.unexpected))
    yield Line("the last run ended with", "0" if figures.finished else "files left", "0", figures.finished)


def _files(figures: Figures) -> Iterator[Line]:
    findings = figures.findings
    yield _none("files lost", findings.lost)
    yield _none("files recorded wrongly", findings.wrong)
    yield _none("files recorded twice", findings.twice)
    yield _none("secrets found", len(figures.secrets))
    yield Line("signatures looked for", f"{figures.signatures:,}", "some", figures.signatures > 0)


def _requests(scenario: Scenario, figures: Figures) -> Iterator[Line]:
    again = f"{figures.again:,}, of one run {figures.most_again}, beyond those in flight {figures.beyond}"
    yield Line("PUTs sent again", again, f"at most {CONCURRENCY} in flight at a kill, 0 beyond", figures.beyond == 0)
    yield _none("remote ids that no row accounts for", figures.unnamed)
    bound = WAITING * figures.most_asked
    unknown = f"{figures.unknown:,}, after one run {figures.after_kill}"
    yield Line("ids that may exist", unknown, f"at most {bound} after a run", figures.after_kill <= bound)
    ratio = attempts(figures)
    asked = scenario.share <= ATTEMPTS_UP_TO
    yield Line(
        "PUT attempts a file",
        f"{ratio:.2f} (share of faults {scenario.share:.0%})",
        f"at most {MOST_ATTEMPTS}" if asked else "",
        ratio <= MOST_ATTEMPTS if asked else None,
    )
    if not scenario.kills:  # a killed run does not record every URL that a fault called expired
        share = run_out(figures)
        yield Line("URLs that expired unused", f"{share:.2%}", f"under {MOST_RUN_OUT:.0%}", share < MOST_RUN_OUT)


def _processes(figures: Figures) -> Iterator[Line]:
    for role, (memory, descriptors) in figures.trends.items():
        yield _flat(f"memory of the {role}, MiB", memory, FLAT_MEMORY)
        yield _flat(f"descriptors of the {role}", descriptors, FLAT_DESCRIPTORS)


def attempts(figures: Figures) -> float:
    """Return the number of PUTs that reached storage, per file."""
    return (figures.server["puts_completed"] + figures.server["puts_failed"]) / max(1, figures.files)


def run_out(figures: Figures) -> float:
    """Return the share of the URLs that expired before they were used: given up, and not expired by a fault.

    URLs whose API call was interrupted or answered badly are not counted.
    """
    given_up = max(0, figures.orphans - figures.server["expired-url"])
    return given_up / max(1, figures.files + figures.orphans)


def _none(name: str, count: int) -> Line:
    return Line(name, f"{count:,}", "0", count == 0)


def _flat(name: str, trend: Trend, bound: float) -> Line:
    met = trend.within(bound)
    if met is None:
        return Line(name, f"peak {trend.peak:.0f}; too short for a trend")
    value = f"{trend.first:.0f} to {trend.last:.0f} ({trend.ratio:.2f}), peak {trend.peak:.0f}"
    return Line(name, value, f"ratio at most {bound}", met)
