"""The expiry of uploads: accepted forms, their meaning, and refused values."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config import Expiry, load
from bulkup.config.expiry import parse_expiry
from bulkup.errors import UsageError

local = dt.datetime.fromisoformat

NOW = 1_700_000_000.0  # November 2023
FUTURE = st.integers(int(NOW) + 1, 253_402_300_799)
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@given(FUTURE)
def test_unix_seconds_as_number_and_as_text_are_equal(seconds: Any) -> None:
    assert parse_expiry(seconds, NOW) == parse_expiry(f" {seconds} ", NOW) == Expiry(at=seconds)


@given(st.integers(1, 10**4), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_duration_is_counted_from_the_upload_session(number: Any, unit: Any, space: Any) -> None:
    assert parse_expiry(f"{number}{space}{unit}", NOW) == Expiry(after=number * UNITS[unit])


@given(st.datetimes(local("2024-01-01"), local("9990-01-01")), ZONES, st.sampled_from("Tt "))
def test_a_time_means_one_instant_whatever_its_zone_and_spelling(time: Any, zone: Any, mark: Any) -> None:
    zoned = time.replace(tzinfo=zone)
    expected = Expiry(at=int(zoned.timestamp()))
    assert parse_expiry(zoned, NOW) == expected
    assert parse_expiry(zoned.isoformat().replace("T", mark), NOW) == expected
    assert parse_expiry(zoned.astimezone(dt.UTC).isoformat().replace("+00:00", "z"), NOW) == expected


@pytest.mark.parametrize("value", [0, "0", "never", " 0 "])
def test_zero_means_never(value: Any) -> None:
    assert parse_expiry(value, NOW).never
    assert not parse_expiry("30d", NOW).never


@given(
    st.one_of(
        FUTURE.map(lambda at: Expiry(at=at)),
        st.just(Expiry(at=0)),
        st.integers(1, 10**8).map(lambda after: Expiry(after=after)),
    )
)
def test_its_text_can_be_parsed_again(value: Any) -> None:
    assert parse_expiry(str(value), NOW) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Expiry(at=0), "never"),
        (Expiry(at=1_893_456_000), "2030-01-01T00:00:00Z"),
        (Expiry(after=30 * 86_400), "30d"),
        (Expiry(after=36 * 3_600), "36h"),
        (Expiry(after=90), "90s"),
        (Expiry(after=0.5), "0.5s"),
    ],
)
def test_its_text_is_readable(value: Any, shown: Any) -> None:
    assert str(value) == shown
    assert parse_expiry(value, NOW) is value


@given(st.text(max_size=24))
def test_any_text_gives_an_expiry_or_a_value_error(text: Any) -> None:
    try:
        outcome = isinstance(parse_expiry(text, NOW), Expiry)
    except ValueError as error:
        outcome = str(error).startswith("expected a time with its zone")
    assert outcome


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (30, "a duration needs its unit"),
        ("30", "a duration needs its unit"),
        (999_999_999, "a duration needs its unit"),
        (1_893_456_000_000, "milliseconds"),
        (int(NOW), "past"),
        ("2020-01-01T00:00:00Z", "past"),
        (dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "past"),
        (local("2030-01-01"), "no zone"),
        ("2030-02-30T00:00:00Z", "no such time"),
        ("2030-01-01T00:00:60Z", "no such time"),
        ("0d", "longer than 0"),
        ("99999d", "expected"),
        ("1.2.3d", "expected"),
        ("2030-01-01T00:00:00", "expected"),
        ("2030-01-01", "expected"),
        (dt.date(2030, 1, 1), "expected"),
        (-1, "expected"),
        (1.5, "expected"),
        (True, "expected"),
        (None, "expected"),
        ("", "expected"),
        ("30 days", "expected"),
        ("٣", "expected"),
        ("9" * 99, "expected"),
        ([], "expected"),
    ],
)
def test_anything_else_is_refused_with_the_reason(value: Any, why: Any) -> None:
    with pytest.raises(ValueError, match=why):
        parse_expiry(value, NOW)


def test_a_profile_may_hold_a_time_without_quotes(tmp_path: Any) -> None:
    (tmp_path / "bulkup.toml").write_text("[profiles.n]\nexpires_at = 2999-01-01T01:00:00+01:00\n")
    settings = load({}, profile="n", config_file=None, environ={}, cwd=str(tmp_path)).settings
    assert settings.expires_at == Expiry(at=32_472_144_000)
    assert settings.model_dump(mode="json")["expires_at"] == "2999-01-01T00:00:00Z"


def test_a_past_time_is_refused_with_its_line(tmp_path: Any) -> None:
    (tmp_path / "bulkup.toml").write_text("[profiles.n]\n\nexpires_at = '2020-01-01T00:00:00Z'\n")
    with pytest.raises(UsageError) as caught:
        load({}, profile="n", config_file=None, environ={}, cwd=str(tmp_path))
    assert caught.value.message.startswith("bulkup.toml:3: expires_at: expected a time with its zone")
    assert caught.value.message.endswith("this one is in the past, not '2020-01-01T00:00:00Z'")
