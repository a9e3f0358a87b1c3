"""What a bench's trials come to: the best settings, and what keeps them from being faster. Pure.

The limits are looked for in an order: what the service says outright, then what this machine lacks, then where the
workers wait. What is left, once more workers bring nothing more, is the way to the storage or the storage itself.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bulkup.reports.bench_trials import BenchFacts, Trial, best_trial
from bulkup.reports.formatting import percent_text, rate_text, short_time_text

_BUSY_MACHINE = 0.9  # of all cores
_RECORDS = 0.5  # of the files with a worker
_DISK_IS_NEAR = 1.25  # times the rate of the best trial
_MORE = 1.5  # times the workers of the best trial
_LINKS = {"100 Mbit/s": 100e6, "1 Gbit/s": 1e9, "2.5 Gbit/s": 2.5e9, "10 Gbit/s": 10e9}  # bits a second
_FULL_LINK = (0.85, 1.0)  # headers of IP, TCP and TLS are the rest


class Limit(enum.StrEnum):
    """What keeps the best trial from being faster."""

    THROTTLING = "throttling"  # the service or its storage asks to slow down
    RATE_LIMIT = "rate_limit"  # our own, the setting
    CPU = "cpu"  # this machine's processor
    API = "api"  # the service does not hand out URLs fast enough
    DISK = "disk"  # the source's, or the journal's
    NETWORK = "network"  # the way to the storage, or the storage
    CONCURRENCY = "concurrency"  # nothing yet: more workers were faster to the last
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best of the trials, what limits it, and why that is thought."""

    best: Trial
    limit: Limit
    reason: str


def judge(trials: Sequence[Trial], facts: BenchFacts) -> Verdict | None:
    """Return what the trials come to, None where none of them uploaded anything."""
    best = best_trial(trials, facts.current)
    if best is None:
        return None
    limit, reason = next(_limits(best, trials, facts))
    return Verdict(best, limit, reason)


def _limits(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[tuple[Limit, str]]:
    """Yield what may limit the best trial, the most certain first; the last one always holds."""
    if best.throttled:
        yield Limit.THROTTLING, throttling_text(best)
    if best.held_by(facts.rate_limit):
        yield Limit.RATE_LIMIT, f"the setting rate_limit holds API calls at {facts.rate_limit or 0:g} a second"
    if reason := _processor(best, facts):
        yield Limit.CPU, reason
    if best.starves:
        yield Limit.API, f"workers wait for upload URLs {percent_text(best.starved)} of the time{_capacity(best)}"
    if reason := _disk(best, facts):
        yield Limit.DISK, reason
    if reason := _flat(best, trials):
        yield Limit.NETWORK, reason
    if reason := _growing(best, trials):
        yield Limit.CONCURRENCY, reason
    yield Limit.UNKNOWN, "nothing stood out; it takes trials with more than one concurrency to tell"


def throttling_text(trial: Trial) -> str:
    """Return how often the service asked to slow down."""
    parts = [
        f"{percent_text(requests.throttled_share)} of the {what}"
        for requests, what in ((trial.api, "API calls"), (trial.storage, "uploads"))
        if requests.throttled
    ]
    return f"the service asked to slow down (429, 503) in {' and '.join(parts)}"


def _processor(trial: Trial, facts: BenchFacts) -> str | None:
    if trial.fills_a_core:
        return f"bulkup keeps one core of this machine busy ({percent_text(trial.loop_cpu)})"
    if trial.cpu >= _BUSY_MACHINE * facts.cores:
        return f"bulkup keeps {trial.cpu:.1f} of {facts.cores} cores busy"
    if trial.machine_cpu is not None and trial.machine_cpu >= _BUSY_MACHINE:
        others = "the embedded server and others" if facts.embedded else "other programs"
        return (
            f"this machine's {facts.cores} cores are busy ({percent_text(trial.machine_cpu)}), "
            f"of which bulkup takes {trial.cpu:.1f} and {others} the rest"
        )
    return None


def _capacity(trial: Trial) -> str:
    """Say how many URLs calls bring at the most, from how long one takes."""
    median, choice = trial.api.median, trial.choice
    if not median or not trial.files:
        return ""
    calls = f"{choice.calls_in_flight} calls in flight" if choice.calls_in_flight > 1 else "one call at a time"
    # Where a file takes several calls, or a call brings many URLs, counted as it was.
    per_call = min(float(choice.batch_size), trial.files / trial.api.count)
    return (
        f": a call takes {short_time_text(median)}, so {calls} bring {per_call * choice.calls_in_flight / median:,.0f} "
        "files a second at the most"
    )


def _disk(trial: Trial, facts: BenchFacts) -> str | None:
    if trial.sending and trial.recording >= _RECORDS * trial.sending:
        return (
            f"of {trial.sending:.1f} files with a worker, {trial.recording:.1f} wait for their row to be on disk "
            "(the journal is in the temporary folder here)"
        )
    disk = facts.disk
    if disk is not None and disk.bytes_per_second <= _DISK_IS_NEAR * trial.bytes_per_second:
        return f"the source is read at {rate_text(disk.bytes_per_second)}, no faster than files go up"
    return None


def _flat(best: Trial, trials: Sequence[Trial]) -> str | None:
    """Return what says that more workers bring nothing, None where that is not so, or was not tried."""
    rate = best.bytes_per_second
    as_good = [trial.choice.workers for trial in trials if trial.choice.workers and trial.as_good_as(best)]
    least = min([best.workers, *as_good])
    most = max([best.workers, *(trial.choice.workers for trial in trials)])
    if most < _MORE * least:
        return None
    full = next((name for name, bits in _LINKS.items() if _FULL_LINK[0] <= rate * 8 / bits <= _FULL_LINK[1]), None)
    what = f", which is what a link of {full} carries" if full else ""
    return (
        f"{most} files at a time are no faster than {least}: the network or the storage takes {rate_text(rate)}{what}"
    )


def _growing(best: Trial, trials: Sequence[Trial]) -> str | None:
    workers = best.workers
    below = max((trial.choice.workers for trial in trials if trial.choice.workers < workers), default=0)
    return f"it was still getting faster from {below} to {workers} files at a time" if below else None
