"""What is asked of a scenario's figures, and whether they keep to it. Pure."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.soaking.scenario import CONCURRENCY, Figures, Scenario
from benchmarks.soaking.watching import Trend

MOST_ATTEMPTS = 1.6  # PUTs a file, where no more than `ATTEMPTS_UP_TO` of the requests fail
ATTEMPTS_UP_TO = 0.3
MOST_RUN_OUT = 0.01  # share of the URLs
FLAT_MEMORY = 1.25  # last tenth over first
FLAT_DESCRIPTORS = 1.5  # connections come and go


@dataclass(frozen=True, slots=True)
class Line:
    """One figure as it is shown, what was asked, and whether that held; None where nothing was asked of it."""

    name: str
    value: str
    asked: str = ""
    held: bool | None = None


def lines(scenario: Scenario, figures: Figures) -> list[Line]:
    """Return all figures of a scenario, judged."""
    return [*_course(scenario, figures), *_files(figures), *_requests(scenario, figures), *_processes(figures)]


def _course(scenario: Scenario, figures: Figures) -> Iterator[Line]:
    codes = collections.Counter(run.code for run in figures.runs)
    exits = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    yield Line("files", f"{figures.files:,}")
    yield Line("seconds", f"{figures.seconds:,.0f}")
    yield Line("kills of the uploader", f"{figures.kills}", f"{scenario.kills}", figures.kills >= scenario.kills)
    yield Line("restarts of the server", f"{figures.restarts}, {figures.server_kills} of them by SIGKILL")
    yield Line("runs", f"{len(figures.runs)} (exit status: {exits})")
    yield _none("runs that ended as none should", len(figures.unexpected))
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
    ratio = attempts(figures)
    asked = scenario.share <= ATTEMPTS_UP_TO
    yield Line(
        "PUT attempts a file",
        f"{ratio:.2f} (share of faults {scenario.share:.0%})",
        f"at most {MOST_ATTEMPTS}" if asked else "",
        ratio <= MOST_ATTEMPTS if asked else None,
    )
    if not scenario.kills:  # a run that was killed did not hear of all that a fault called expired
        share = run_out(figures)
        yield Line("URLs that ran out", f"{share:.2%}", f"under {MOST_RUN_OUT:.0%}", share < MOST_RUN_OUT)


def _processes(figures: Figures) -> Iterator[Line]:
    for role, (memory, descriptors) in figures.trends.items():
        yield _flat(f"memory of the {role}, MiB", memory, FLAT_MEMORY)
        yield _flat(f"descriptors of the {role}", descriptors, FLAT_DESCRIPTORS)


def attempts(figures: Figures) -> float:
    """Return how many PUTs reached storage for each file."""
    return (figures.server["puts_completed"] + figures.server["puts_failed"]) / max(1, figures.files)


def run_out(figures: Figures) -> float:
    """Return the share of the URLs whose lifetime ended before they were used: those given up and not called expired.

    URLs whose answer never came, because the call was cut short or answered badly, are not counted.
    """
    given_up = max(0, figures.orphans - figures.server["expired-url"])
    return given_up / max(1, figures.files + figures.orphans)


def _none(name: str, count: int) -> Line:
    return Line(name, f"{count:,}", "0", count == 0)


def _flat(name: str, trend: Trend, bound: float) -> Line:
    held = trend.within(bound)
    if held is None:
        return Line(name, f"peak {trend.peak:.0f}; too short to tell more")
    value = f"{trend.first:.0f} to {trend.last:.0f} ({trend.ratio:.2f}), peak {trend.peak:.0f}"
    return Line(name, value, f"ratio at most {bound}", held)
