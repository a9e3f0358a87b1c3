"""The verdict on a bench's trials, and the advice."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from bench_world import NOW, choice, facts, trial

from bulkup.reports.bench_advice import advice
from bulkup.reports.bench_trials import DiskSpeed, RequestFigures, Trial, best_trial
from bulkup.reports.bench_verdict import Limit, Verdict, judge

MIB = 1024**2
SLOWED = RequestFigures(200, 6, 6, 0.1, 0.2)


def judged(trials: list[Trial], **known: Any) -> Verdict:
    verdict = judge(trials, facts(**known))
    assert verdict is not None
    return verdict


def advised(trials: list[Trial], **known: Any) -> list[str]:
    return list(advice(judged(trials, **known), trials, facts(**known)))


def flat(**figures: Any) -> list[Trial]:
    """The current settings, a slower trial, and others that are no better."""
    return [trial(choice(4), rate=40), trial(NOW, rate=100, **figures), trial(choice(64), rate=101), trial(choice(16))]


@pytest.mark.parametrize(
    ("figures", "known", "limit", "reason"),
    [
        ({"api": SLOWED}, {}, Limit.THROTTLING, "in 3.0 % of the API calls"),
        ({"storage": SLOWED}, {}, Limit.THROTTLING, "in 3.0 % of the uploads"),
        ({"api": SLOWED, "storage": SLOWED}, {}, Limit.THROTTLING, "3.0 % of the API calls and 3.0 % of the uploads"),
        ({"api": RequestFigures(99)}, {"rate_limit": 10.0}, Limit.RATE_LIMIT, "10 API calls per second"),
        ({"loop_cpu": 0.95, "starved": 0.9}, {}, Limit.CPU, "one core of this machine fully (95 %)"),
        ({"cpu": 3.9}, {}, Limit.CPU, "3.9 of 4 cores"),
        ({"machine_cpu": 0.95}, {}, Limit.CPU, "other programs"),
        ({"machine_cpu": 0.95}, {"embedded": True}, Limit.CPU, "the embedded server"),
        (
            {"starved": 0.6, "api": RequestFigures(10, 0, 0, 2.1, 3.0)},
            {},
            Limit.API,
            "60 % of the time: a call takes 2.1 s, so 4 calls in flight return URLs for at most 190 files per second",
        ),
        ({"recording": 15.0}, {}, Limit.DISK, "of 20.0 files with a worker, 15.0 wait for their row"),
        ({}, {"disk": DiskSpeed(100, 100 * MIB, 5.0)}, Limit.DISK, "the source is read at 20.0 MiB/s"),
        ({}, {"disk": DiskSpeed(100, 100 * MIB, 1.0)}, Limit.NETWORK, "accepts 25.0 MiB/s"),
        ({}, {}, Limit.NETWORK, "64 files at a time are no faster than 16"),
        ({"machine_cpu": None}, {}, Limit.NETWORK, ""),
    ],
)
def test_the_limit(figures: dict[str, Any], known: dict[str, Any], limit: Limit, reason: str) -> None:
    """The most certain limit is reported."""
    verdict = judged(flat(**figures), **known)
    assert (verdict.best.choice, verdict.limit) == (NOW, limit)
    assert reason in verdict.reason


def test_a_full_link() -> None:
    """A rate just below that of a common link is reported as such."""
    trials = [trial(choice(workers), rate=450) for workers in (4, 16)]
    assert "the capacity of a link of 1 Gbit/s" in judged(trials).reason
    assert "link of" not in judged([trial(choice(workers), rate=300) for workers in (4, 16)]).reason


def test_fewer_workers_that_are_as_good_show_the_network_limit() -> None:
    """Although no more workers than the best were tried. The same holds beside a trial with `auto`."""
    verdict = judged([trial(choice(4), rate=40), trial(choice(16), rate=99), trial(NOW, rate=100)])
    assert (verdict.best.choice, verdict.limit) == (NOW, Limit.NETWORK)
    assert "32 files at a time are no faster than 16" in verdict.reason
    auto = choice("auto")
    verdict = judged([trial(choice(4), rate=99), trial(auto, came_to=64)], current=auto)
    assert (verdict.best.choice, verdict.limit) == (auto, Limit.NETWORK)
    assert "64 files at a time are no faster than 4" in verdict.reason


def test_the_limit_was_not_reached() -> None:
    """The highest concurrency is the best, and the advice names the next one to try."""
    trials = [trial(choice(workers), rate=workers) for workers in (4, 16, 64)]
    assert judged(trials).limit is Limit.CONCURRENCY
    assert "from 16 to 64" in judged(trials).reason
    assert "try more: --concurrency 64,128 --files 2048" in advised(trials)


def test_one_trial_shows_no_limit() -> None:
    """Without trials, or without an upload, there is no verdict."""
    assert judged([trial()]).limit is Limit.UNKNOWN
    assert "try several values: --concurrency 4,16,64" in advised([trial()])
    assert judge([], facts()) is None
    assert judge([trial(rate=0)], facts()) is None


def test_the_lowest_setting_that_is_as_good_is_the_best() -> None:
    """Within 5 per cent, nearest to the current settings. Trials with failed files only if all have some."""
    assert best_trial([trial(choice(16), rate=100), trial(NOW, rate=96)], NOW) == trial(NOW, rate=96)
    assert best_trial([trial(choice(16), rate=100), trial(NOW, rate=94)], NOW) == trial(choice(16), rate=100)
    assert best_trial([trial(choice(16), rate=96), trial(choice(64), rate=100)], NOW) == trial(choice(16), rate=96)
    batches = [trial(choice(16, 25), rate=103), trial(choice(16), rate=100)]
    assert best_trial(batches, NOW) == batches[1]
    lossy = _lossy()
    assert best_trial([lossy, trial()], NOW) == trial()
    assert best_trial([lossy], NOW) == lossy
    found = trial(choice("auto"), came_to=24)
    assert best_trial([trial(choice(64)), found], NOW) == found
    assert best_trial([trial(choice(16)), found], NOW) == trial(choice(16))


def _lossy() -> Trial:
    return dataclasses.replace(trial(choice(64), rate=200), failed=1)


def test_advice_on_the_settings() -> None:
    """The differing settings as in a profile and the gain, or that the current ones are good."""
    trials = [trial(NOW, rate=100), trial(choice(64, 25), rate=150), trial(choice(128), rate=100)]
    assert advised(trials)[0] == "set concurrency = 64, batch_size = 25: 50 % more files per second than now"
    assert advised(flat())[0].startswith("keep concurrency = 32, batch_size = 100, calls_in_flight = 4: ")
    assert advised([trial(choice(16)), trial(choice(64))])[0].startswith(
        "set concurrency = 16: the best settings of the trials"
    )
    auto = choice("auto")
    assert advised([trial(auto, rate=98), *flat()], current=auto)[0].startswith('keep concurrency = "auto"')
    assert advised([trial(auto, rate=90), *flat()], current=auto)[0].startswith("set concurrency = 16: 11 % more")


def test_advice_against_throttling() -> None:
    """A rate limit, a lower concurrency, and a hint on a throttled trial above the best."""
    told = advised(flat(api=SLOWED, storage=SLOWED))
    assert told[:2] == [
        "set rate_limit = 19, the answered calls per second",
        "set concurrency = 16 or lower, or ask the service for its limits",
    ]
    higher = [trial(choice(16), rate=100), trial(choice(64), rate=50, storage=SLOWED)]
    assert "go no higher: with 64 files at a time the service asked to slow down in 3.0 % of the uploads" in (
        advised(higher)
    )


def test_advice_for_a_slow_api() -> None:
    """Settings that were not tried: larger calls up to the limit, and more of them."""
    slow: dict[str, Any] = {"starved": 0.8, "api": RequestFigures(10, 0, 0, 2.0, 2.0)}
    told = advised(flat(**slow))
    assert "try --batch-size 100,1000: the service accepts that many in one call" in told
    assert "try calls_in_flight = 8" in told
    more = [*flat(**slow), trial(choice(32, 1000), rate=100, **slow), trial(choice(32, 100, 8), rate=100, **slow)]
    told = advised(more)
    assert not any("--batch-size" in step for step in told)
    assert "more calls in flight were no faster: the service limits the number of URLs" in told


def test_doubtful_figures_are_reported() -> None:
    """Short trials, failed files, and a server on the same machine."""
    told = advised([trial(seconds=0.3), _lossy()], embedded=True)
    assert any("short (0.3 s)" in step for step in told)
    assert any(step.startswith("1 file failed") for step in told)
    assert any("embedded server" in step for step in told)
    assert "raise rate_limit" in " ".join(advised(flat(api=RequestFigures(99)), rate_limit=10.0))
    assert "setting processes" in " ".join(advised(flat(loop_cpu=1.0)))
    assert advised(flat(machine_cpu=1.0)) == ["measure again when this machine is less busy"]
