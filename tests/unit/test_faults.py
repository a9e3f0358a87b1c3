"""Faults: their syntax, shares, limits and window, and repeatable draws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.localserver.faults import FaultName, FaultPlan, FaultPoint, FaultSpec


def plan(*texts: Any, seed: Any = 0) -> Any:
    return FaultPlan([FaultSpec.parse(text) for text in texts], seed)


def names(drawn: Any) -> Any:
    return [fault and fault.name for fault in drawn]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("cut-body", FaultSpec(FaultName.CUT_BODY, 1.0, None)),
        ("expired-url=0.05", FaultSpec(FaultName.EXPIRED_URL, 0.05, None)),
        ("status-503,first=3", FaultSpec(FaultName.STATUS_503, 1.0, 3)),
        ("wrong-etag=0.1,first=10", FaultSpec(FaultName.WRONG_ETAG, 0.1, 10)),
        ("slow-body=0", FaultSpec(FaultName.SLOW_BODY, 0.0, None)),
    ],
)
def test_fault_options_are_parsed(text: Any, spec: Any) -> None:
    assert FaultSpec.parse(text) == spec


@given(st.sampled_from(FaultName), st.floats(0, 1), st.none() | st.integers(1, 10**6))
def test_a_spec_survives_formatting_and_parsing(name: Any, share: Any, first: Any) -> None:
    spec = FaultSpec(name, share, first)
    assert FaultSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        *("cut-body=2", "cut-body=-0.1", "cut-body=nan", "cut-body=", "cut-body=x", "cut-body,", "cut-body,last=1"),
        *("cut-body,first=0", "cut-body,first=x", "cut-body,first=1,first=2", "cut-body=0.1,first=-1"),
        "cut-body,first=²",
    ],
)
def test_bad_syntax_is_a_usage_error_that_shows_the_syntax(text: Any) -> None:
    with pytest.raises(UsageError) as caught:
        FaultSpec.parse(text)
    assert "NAME[=SHARE][,first=N]" in caught.value.hint


@pytest.mark.parametrize(("text", "nearest"), [("expired", "expired-url"), ("503=0.1", "status-503"), ("", "")])
def test_the_error_for_an_unknown_name_suggests_the_nearest(text: Any, nearest: Any) -> None:
    with pytest.raises(UsageError) as caught:
        FaultSpec.parse(text)
    assert f"did you mean {nearest}" in caught.value.hint
    assert all(name in caught.value.hint for name in FaultName)


@pytest.mark.parametrize("name", FaultName)
def test_a_fault_is_drawn_only_where_it_applies(name: Any) -> None:
    apis = {FaultPoint.API, FaultPoint.PRESIGN}
    expected = {
        FaultName.RETRY_LATER: apis,
        FaultName.UNAUTHORIZED: apis,
        FaultName.STATUS_503: {*apis, FaultPoint.PUT},
        FaultName.SHORT_ANSWER: {FaultPoint.PRESIGN},
    }.get(name, {FaultPoint.PUT})
    assert {point for point in FaultPoint if plan(name).draw(point, 0.0)} == expected


def test_nothing_happens_without_faults() -> None:
    assert plan().draw(FaultPoint.PUT, 0.0) is None


def test_the_same_seed_gives_the_same_draws() -> None:
    def draws(seed: Any) -> Any:
        faults = plan("cut-body=0.3", "status-503=0.2", seed=seed)
        return names(faults.draw(FaultPoint.PUT, 0.0) for _ in range(200))

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


def test_shares_are_shares_of_the_requests_and_one_request_gets_one_fault() -> None:
    faults = plan("cut-body=0.25", "status-503=0.5")
    drawn = names(faults.draw(FaultPoint.PUT, 0.0) for _ in range(4000))
    assert 850 < drawn.count(FaultName.CUT_BODY) < 1150
    assert 1850 < drawn.count(FaultName.STATUS_503) < 2150


def test_share_zero_never_hits() -> None:
    faults = plan("cut-body=0")
    assert not any(faults.draw(FaultPoint.PUT, 0.0) for _ in range(1000))


def test_first_limits_the_hits_before_the_next_fault_is_drawn() -> None:
    faults = plan("status-503,first=3", "cut-body,first=1")
    drawn = names(faults.draw(FaultPoint.PUT, 0.0) for _ in range(6))
    assert drawn == [FaultName.STATUS_503] * 3 + [FaultName.CUT_BODY, None, None]


def test_requests_at_other_points_do_not_use_up_hits() -> None:
    faults = plan("short-answer,first=1")
    assert faults.draw(FaultPoint.API, 0.0) is None
    assert faults.draw(FaultPoint.PUT, 0.0) is None
    assert faults.draw(FaultPoint.PRESIGN, 0.0) is not None
    assert faults.draw(FaultPoint.PRESIGN, 0.0) is None


def test_retry_later_is_one_window_for_all_api_requests() -> None:
    faults = plan("retry-later")
    waits = [
        faults.draw(point, now).retry_after for point, now in [(FaultPoint.PRESIGN, 100.0), (FaultPoint.API, 100.9)]
    ]
    assert waits == [2, 2]
    assert faults.draw(FaultPoint.PRESIGN, 101.0).retry_after == 1
    assert faults.draw(FaultPoint.PRESIGN, 101.99).retry_after == 1
    assert faults.draw(FaultPoint.PUT, 101.0) is None
    assert faults.draw(FaultPoint.PRESIGN, 102.0) is None
    assert faults.draw(FaultPoint.PRESIGN, 500.0) is None


def test_an_open_window_refuses_all_requests() -> None:
    faults = plan("retry-later=0.01", "unauthorized=0.5")
    drawn = [faults.draw(FaultPoint.API, 0.0) for _ in range(2000)]
    opened = names(drawn).index(FaultName.RETRY_LATER)
    assert opened > 0
    assert set(names(drawn[opened:])) == {FaultName.RETRY_LATER}
    assert FaultName.RETRY_LATER not in names(faults.draw(FaultPoint.API, 2.0) for _ in range(2000))


def test_a_fault_knows_whether_its_share_is_one() -> None:
    assert plan("wrong-etag").draw(FaultPoint.PUT, 0.0).always
    sometimes = plan("wrong-etag=0.99")
    drawn = [sometimes.draw(FaultPoint.PUT, 0.0) for _ in range(10)]
    assert [fault.always for fault in drawn if fault][:1] == [False]
