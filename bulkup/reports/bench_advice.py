"""What to do about a bench's verdict: the settings to take, and what may lift the limit. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkup.reports.bench_trials import BenchFacts, Choice, RequestFigures, Trial
from bulkup.reports.bench_verdict import Limit, Verdict, throttling_text
from bulkup.reports.formatting import count_text, duration_text, percent_text

_SHORT = 1.0  # seconds; of a shorter run the beginning is most
_ALWAYS_BUSY = 16  # files for each worker


def advice(verdict: Verdict, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    """Yield what to do, a sentence each, without a full stop."""
    best = verdict.best
    # Where other programs, or other users, get in between, differences say little.
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
        yield f"{count_text(lost, 'file')} failed: find out why before you go by these figures"
    if best.seconds < _SHORT:
        yield f"the trials were short ({duration_text(best.seconds)}): more or larger files (--files, --size) tell more"
    if facts.embedded:
        yield "the embedded server runs on this machine and shares it: a service of your own has other figures"


def _of_settings(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    now = next((trial for trial in trials if trial.choice == facts.current), None)
    if best is now:
        yield f"leave {_changes(facts, facts.current)} as they are: nothing that was tried is much better"
    elif now is not None and now.files_per_second:
        gain = best.files_per_second / now.files_per_second - 1
        yield f"set {_changes(facts, best.choice)}: {percent_text(gain)} more files a second than now"
    else:
        yield f"set {_changes(facts, best.choice)}: the best of what was tried, which the settings as they are were not"


def _changes(facts: BenchFacts, to: Choice) -> str:
    """Return settings as a profile has them: those that differ, all where none does."""
    names = ("concurrency", "batch_size", "calls_in_flight")
    values = [(name, getattr(to, name), getattr(facts.current, name)) for name in names]
    changed = [(name, new) for name, new, old in values if new != old] or [(name, new) for name, new, _ in values]
    return ", ".join(f'{name} = "{new}"' if isinstance(new, str) else f"{name} = {new}" for name, new in changed)


def _of_limit(best: Trial, limit: Limit, facts: BenchFacts) -> Iterator[str]:
    if limit is Limit.THROTTLING:
        if best.api.throttled:
            yield f"set rate_limit = {_answered_rate(best.api, best.seconds):g}, the calls a second that were answered"
        if best.storage.throttled and best.workers > 1:
            yield f"set concurrency = {best.workers // 2} or below, or ask the service what it allows"
    elif limit is Limit.RATE_LIMIT:
        yield "raise rate_limit as far as your account allows; 0 lifts it"
    elif limit is Limit.CPU:
        if best.fills_a_core:
            yield "more processes may help (a bench sends with one): see the setting processes"
        elif not facts.embedded:
            yield "measure again when this machine has less to do"
    elif limit is Limit.CONCURRENCY:
        twice = 2 * best.workers
        yield f"try more: --concurrency {best.workers},{twice} --files {_ALWAYS_BUSY * twice}"
    elif limit is Limit.UNKNOWN:
        yield "try several: --concurrency 4,16,64"


def _of_api(best: Trial, trials: Sequence[Trial], facts: BenchFacts) -> Iterator[str]:
    """Yield the ways to more URLs a second that were not tried yet."""
    choice = best.choice
    if max(trial.choice.batch_size for trial in trials) < facts.batch_limit:
        yield f"try --batch-size {choice.batch_size},{facts.batch_limit}: the service takes so many in a call"
    if max(trial.choice.calls_in_flight for trial in trials) <= choice.calls_in_flight:
        yield f"try calls_in_flight = {2 * choice.calls_in_flight}"
    else:
        yield "more calls in flight were no faster: it is the service that hands out no more"


def _answered_rate(requests: RequestFigures, seconds: float) -> float:
    """Return the calls a second that were not throttled, rounded down to two digits; one at the least."""
    rate = (requests.count - requests.throttled) / seconds if seconds else 1.0
    digits = 10.0 if rate >= 100 else 1.0
    return max(1.0, rate // digits * digits)
