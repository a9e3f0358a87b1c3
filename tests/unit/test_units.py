"""Sizes and durations: accepted and refused forms."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.units import parse_duration, parse_size

UNITS = {"": 0, "b": 0, "k": 1, "M": 2, "g": 3, "T": 4, "KiB": 1, "MB": 2, "gib": 3}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_size_is_its_number_times_a_power_of_1024(number: Any, unit: Any, space: Any) -> None:
    assert parse_size(f"{number}{space}{unit}".strip()) == number * 1024 ** UNITS[unit]


@given(st.integers(0, 10**15))
def test_a_size_in_bytes_as_number_and_as_text_is_equal(number: Any) -> None:
    assert parse_size(number) == parse_size(str(number)) == number


def test_fractions_of_a_unit_count_and_fractions_of_a_byte_are_dropped() -> None:
    assert parse_size("1.5k") == 1536
    assert parse_size("0.0001k") == 0


@given(st.text(max_size=12))
def test_any_text_gives_a_size_or_a_value_error(text: Any) -> None:
    try:
        outcome = parse_size(text) >= 0
    except ValueError as error:
        outcome = str(error).startswith("expected a size")
    assert outcome


@pytest.mark.parametrize(
    "value",
    [True, -1, 1.5, None, "", "k", "-1", "1e3", "10ib", "1 0", "٣", "1kk", "9" * 99, []],
)
def test_an_invalid_size_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(value)


@given(st.integers(0, 10**4), st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_times_its_unit(number: Any, unit: Any) -> None:
    assert parse_duration(f"{number}{unit}") == number * SECONDS[unit]


@given(*[st.integers(0, 10**4)] * 4, st.sampled_from(("", " ")))
def test_a_duration_may_have_several_units(days: int, hours: int, minutes: int, seconds: int, gap: str) -> None:
    """The larger units come first."""
    text = gap.join((f"{days}d", f"{hours}h", f"{minutes}m", f"{seconds}s"))
    assert parse_duration(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("2d12h", 216_000), ("1m1.5s", 61.5)])
def test_units_may_be_left_out(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(st.floats(0, 10**9))
def test_a_number_is_seconds(number: Any) -> None:
    assert parse_duration(number) == number


@pytest.mark.parametrize(
    "value",
    [
        False,
        -1,
        -0.1,
        math.nan,
        math.inf,
        10**10,
        None,
        "",
        "s",
        "5 minutes",
        "30m1h",
        "1h30",
        "1h1h",
        "1.5h30m",
        "-1s",
        "1e9s",
        "5M",
        "99999d",
    ],
)
def test_an_invalid_duration_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(value)
