"""Advice on a bench's verdict: the settings to use, and how to raise the limit. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkup.reports.bench_trials import BenchFacts, Choice, RequestFigures, Trial
from bulkup.reports.bench_verdict import Limit, Verdict, throttling_text
from bulkup.reports.formatting import count_text, duration_text, percent_text

_SHORT = 1.0  # seconds; the start takes most of a shorter run
_FILES_PER_WORKER = 16  # enough to keep all workers busy


def advice(verdict: Verdict, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    """Yield pieces of advice, each a sentence without a full stop."""
    best = verdict.best
    # If other programs or users disturb the trials, their differences mean little.
    if not best.throttled and (verdict.limit is not Limit.CPU or best.fills_a_core):
        yield from _of_settings(best, trials, facts)
    yield from _of_limit(best, verdict.limit, facts)
    if verdict.limit is Limit.API:
        yield from _of_api(best, trials, facts)
    higher = [trial for trial in trials if trial.throttled and trial.choice.workers > best.workers]
    if not best.throttled and higher:
        least = min(higher, key=lambda trial: trial.choice.workers)
        yield f"go no higher: with {least.choice.workers} files at a time {throttling_text(least)}"
    if lost := sum(trial.failed for trial in trials):
        yield f"{count_text(lost, 'file')} failed: find out why before you rely on these figures"
    if best.seconds < _SHORT:
        yield f"the trials were short ({duration_text(best.seconds)}): use more or larger files (--files, --size)"
    if facts.embedded:
        yield "the embedded server shares this machine: measure your own service to get its figures"


def _of_settings(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    now = next((trial for trial in trials if trial.choice == facts.current), None)
    if best is now:
        yield f"keep {_changes(facts, facts.current)}: no other settings were much better"
    elif now is not None and now.files_per_second:
        gain = best.files_per_second / now.files_per_second - 1
        yield f"set {_changes(facts, best.choice)}: {percent_text(gain)} more files per second than now"
    else:
        yield f"set {_changes(facts, best.choice)}: the best settings of the trials (the current ones were not tried)"


def _changes(facts: BenchFacts, to: Choice) -> str:
    """Return settings as lines of a profile: those that differ from the current ones, or all if none differs."""
    names = ("concurrency", "batch_size", "calls_in_flight")
    values = [(name, getattr(to, name), getattr(facts.current, name)) for name in names]
    changed = [(name, new) for name, new, old in values if new != old] or [(name, new) for name, new, _ in values]
    return ", ".join(f'{name} = "{new}"' if isinstance(new, str) else f"{name} = {new}" for name, new in changed)


def _of_limit(best: Trial, limit: Limit, facts: BenchFacts) -> Iterator[str]:
    if limit is Limit.THROTTLING:
        if best.api.throttled:
            yield f"set rate_limit = {_answered_rate(best.api, best.seconds):g}, the answered calls per second"
        if best.storage.throttled and best.workers > 1:
            yield f"set concurrency = {best.workers // 2} or lower, or ask the service for its limits"
    elif limit is Limit.RATE_LIMIT:
        yield "raise rate_limit as far as your account allows; 0 removes the limit"
    elif limit is Limit.CPU:
        if best.fills_a_core:
            yield "more processes may help (a bench sends with one): see the setting processes"
        elif not facts.embedded:
            yield "measure again when this machine is less busy"
    elif limit is Limit.CONCURRENCY:
        twice = 2 * best.workers
        yield f"try more: --concurrency {best.workers},{twice} --files {_FILES_PER_WORKER * twice}"
    elif limit is Limit.UNKNOWN:
        yield "try several values: --concurrency 4,16,64"


def _of_api(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    """Yield settings for more URLs per second that were not tried."""
    choice = best.choice
    if max(trial.choice.batch_size for trial in trials) < facts.batch_limit:
        yield f"try --batch-size {choice.batch_size},{facts.batch_limit}: the service accepts that many in one call"
    if max(trial.choice.calls_in_flight for trial in trials) <= choice.calls_in_flight:
        yield f"try calls_in_flight = {2 * choice.calls_in_flight}"
    else:
        yield "more calls in flight were no faster: the service limits the number of URLs"


def _answered_rate(requests: RequestFigures, seconds: float) -> float:
    """Return the calls per second that were not throttled, rounded down to two digits, at least one."""
    rate = (requests.count - requests.throttled) / seconds if seconds else 1.0
    digits = 10.0 if rate >= 100 else 1.0
    return max(1.0, rate // digits * digits)
