"""The verdict on a bench's trials: the best settings, and the limit of their throughput. No I/O.

Possible limits are checked in order: throttling by the service, then this machine, then the places where workers wait.
If none applies and more workers are no faster, the limit is the network or the storage.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.bench_trials import BenchFacts, Trial, best_trial
from bulkup.reports.formatting import percent_text, rate_text, short_time_text

_BUSY_MACHINE = 0.9  # of all cores
_WAITING_FOR_ROWS = 0.5  # of the files with a worker
_NEAR_DISK_SPEED = 1.25  # times the rate of the best trial
_MORE_WORKERS = 1.5  # times the lowest number of workers that is as good
_LINKS = {"100 Mbit/s": 100e6, "1 Gbit/s": 1e9, "2.5 Gbit/s": 2.5e9, "10 Gbit/s": 10e9}  # bits a second
_FULL_LINK = (0.85, 1.0)  # the rest are headers of IP, TCP and TLS


class Limit(enum.StrEnum):
    """The limit of the best trial's throughput."""

    THROTTLING = "throttling"  # the service or its storage throttles requests
    RATE_LIMIT = "rate_limit"  # the setting rate_limit
    CPU = "cpu"  # this machine's processor
    API = "api"  # the service does not return URLs fast enough
    DISK = "disk"  # the source's disk, or the journal's
    NETWORK = "network"  # the network, or the storage
    CONCURRENCY = "concurrency"  # not reached: each trial with more workers was faster
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best trial, its limit, and the reason for this conclusion."""

    best: Trial
    limit: Limit
    reason: str


def judge(trials: Sequence[Trial], facts: BenchFacts) -> Verdict | None:
    """Return the verdict on the trials, None if no trial uploaded a file."""
    best = best_trial(trials, facts.current)
    if best is None:
        return None
    limit, reason = next(_limits(best, trials, facts))
    return Verdict(best, limit, reason)


def _limits(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[tuple[Limit, str]]:
    """Yield the limits that apply to the best trial, the most certain first. The last one always applies."""
    if best.throttled:
        yield Limit.THROTTLING, throttling_text(best)
    if best.held_by(facts.rate_limit):
        yield Limit.RATE_LIMIT, f"the setting rate_limit allows {facts.rate_limit or 0:g} API calls per second"
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
    yield Limit.UNKNOWN, "no cause was found; trials with more than one concurrency are needed"


def throttling_text(trial: Trial) -> str:
    """Return the shares of throttled requests as text."""
    parts = [
        f"{percent_text(requests.throttled_share)} of the {what}"
        for requests, what in ((trial.api, "API calls"), (trial.storage, "uploads"))
        if requests.throttled
    ]
    return f"the service asked to slow down in {' and '.join(parts)}"


def _processor(trial: Trial, facts: BenchFacts) -> str | None:
    if trial.fills_a_core:
        return f"bulkup uses one core of this machine fully ({percent_text(trial.loop_cpu)})"
    if trial.cpu >= _BUSY_MACHINE * facts.cores:
        return f"bulkup uses {trial.cpu:.1f} of {facts.cores} cores"
    if trial.machine_cpu is not None and trial.machine_cpu >= _BUSY_MACHINE:
        others = "the embedded server and other programs" if facts.embedded else "other programs"
        return (
            f"this machine's {facts.cores} cores are busy ({percent_text(trial.machine_cpu)}); "
            f"bulkup uses {trial.cpu:.1f} of them, {others} the rest"
        )
    return None


def _capacity(trial: Trial) -> str:
    """Return the maximum number of URLs per second as text, computed from the duration of a call."""
    median, choice = trial.api.median, trial.choice
    if not median or not trial.files:
        return ""
    calls = f"{choice.calls_in_flight} calls in flight" if choice.calls_in_flight > 1 else "one call at a time"
    # Use the measured ratio: a file may need several calls, and a call may return fewer URLs than the batch size.
    per_call = min(float(choice.batch_size), trial.files / trial.api.count)
    return (
        f": a call takes {short_time_text(median)}, so {calls} return URLs for at most "
        f"{per_call * choice.calls_in_flight / median:,.0f} files per second"
    )


def _disk(trial: Trial, facts: BenchFacts) -> str | None:
    if trial.sending and trial.recording >= _WAITING_FOR_ROWS * trial.sending:
        return (
            f"of {trial.sending:.1f} files with a worker, {trial.recording:.1f} wait for their row in the journal "
            "(which a bench keeps in the temporary folder)"
        )
    disk = facts.disk
    if disk is not None and disk.bytes_per_second <= _NEAR_DISK_SPEED * trial.bytes_per_second:
        return f"the source is read at {rate_text(disk.bytes_per_second)}, no faster than files are uploaded"
    return None


def _flat(best: Trial, trials: Sequence[Trial]) -> str | None:
    """Return the reason to say that more workers are no faster, None if they are, or if no trial had more."""
    rate = best.bytes_per_second
    as_good = [trial.choice.workers for trial in trials if trial.choice.workers and trial.as_good_as(best)]
    least = min([best.workers, *as_good])
    most = max([best.workers, *(trial.choice.workers for trial in trials)])
    if most < _MORE_WORKERS * least:
        return None
    full = next((name for name, bits in _LINKS.items() if _FULL_LINK[0] <= rate * 8 / bits <= _FULL_LINK[1]), None)
    link = f", the capacity of a link of {full}" if full else ""
    return (
        f"{most} files at a time are no faster than {least}: the network or the storage accepts {rate_text(rate)}{link}"
    )


def _growing(best: Trial, trials: Sequence[Trial]) -> str | None:
    workers = best.workers
    below = max((trial.choice.workers for trial in trials if trial.choice.workers < workers), default=0)
    return f"the throughput still rose from {below} to {workers} files at a time" if below else None
