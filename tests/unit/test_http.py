"""What crosses the border to services as values: JSON bodies, the service's clock, and how long it asks us to wait."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.http import ApiAnswer, StorageAnswer, retry_after_seconds
from bulkup.model.problems import ProblemKind
from bulkup.providers.storage_answers import classify_s3

NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # is NOW
MINUTE_LATER = "Tue, 14 Nov 2023 22:14:20 GMT"
NONSENSE = [
    "",
    "soon",
    "-5",
    "+5",
    "1.5",
    "1e3",
    "0x10",
    "٣",
    "Tue, 99 Nov 2023 22:14:20 GMT",
    "Tue, 14 Nov 2023 99:99:99 GMT",
    "Tue, 14 Nov 99999999999999999999 22:14:20 GMT",
    "Tue, 14 Nov 2023 22:14:20 +99999999999999999999",
    "Tue, 14 Nov 2023 22:14:20 +9999",
]


def answer(body: bytes = b"{}", **headers: str) -> ApiAnswer:
    return ApiAnswer(200, headers, body, NOW)


def wait(value: str, **headers: str) -> float | None:
    return retry_after_seconds({"retry-after": value, **headers}, NOW)


@given(st.integers(0, 10**9))
def test_a_number_is_seconds(seconds: int) -> None:
    """However it is padded."""
    assert wait(str(seconds)) == wait(f" {seconds} ") == seconds


def test_a_date_counts_from_now() -> None:
    """Where the answer has no clock of its own, ours has to do."""
    assert wait(MINUTE_LATER) == 60.0


def test_a_date_counts_from_the_answers_own_clock() -> None:
    """A clock that is off by a day does no harm: only the distance of the two counts."""
    assert wait("Wed, 15 Nov 2023 22:14:20 GMT", date="Wed, 15 Nov 2023 22:13:20 GMT") == 60.0


def test_a_date_in_the_past_is_no_wait() -> None:
    """It is never negative."""
    assert wait(DATE, date=MINUTE_LATER) == 0.0


@pytest.mark.parametrize("date", [value for value in NONSENSE if value])
def test_a_nonsense_clock_is_passed_over(date: str) -> None:
    """Then the date counts from our own."""
    assert wait(MINUTE_LATER, date=date) == 60.0


@pytest.mark.parametrize("form", ["Tue, 14 Nov 2023 22:14:20 GMT", "Tuesday, 14-Nov-23 22:14:20 GMT"])
def test_the_older_forms_of_a_date_are_read(form: str) -> None:
    """RFC 9110 has recipients take them."""
    assert wait(form) == 60.0


def test_a_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest form names no zone; the machine's own has nothing to do with it."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert wait("Tue Nov 14 22:14:20 2023") == 60.0
        assert answer(date="Tue Nov 14 22:14:20 2023").server_time() == NOW + 60
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_no_wish(value: str) -> None:
    """What is neither seconds nor a date is passed over."""
    assert wait(value) is None


def test_no_header_is_no_wish() -> None:
    """Most answers have none."""
    assert retry_after_seconds({}, NOW) is None
    assert retry_after_seconds({"date": DATE}, NOW) is None


@given(st.text(), st.text())
def test_no_header_makes_it_fail(value: str, date: str) -> None:
    """Whatever a server sends, the wait is missing or not negative."""
    seconds = wait(value, date=date)
    assert seconds is None or seconds >= 0.0


def test_storage_is_listened_to_as_well() -> None:
    """The same header counts on answers to the bytes."""
    problem = classify_s3(StorageAnswer(503, {"retry-after": "7"}, b""), NOW)
    assert problem is not None
    assert (problem.kind, problem.retry_after) == (ProblemKind.THROTTLED, 7.0)


def test_the_services_time_is_its_date() -> None:
    """It is what its expiry times are compared with."""
    assert answer(date=MINUTE_LATER).server_time() == NOW + 60


@pytest.mark.parametrize("date", NONSENSE)
def test_a_service_without_a_clock_is_given_ours(date: str) -> None:
    """A missing or nonsense Date is the moment we asked."""
    assert answer(date=date).server_time() == NOW
    assert answer().server_time() == NOW


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff", b'"\\ud800"', b"NaN", b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    """Adapters catch one kind of error, and no body is deep enough to break the program."""
    with pytest.raises(ValueError):  # noqa: PT011  # the text is the decoder's
        answer(body).json()


def test_json_is_decoded() -> None:
    """Whatever its shape; adapters look at that."""
    assert answer(b'{"a":[1,null]}').json() == {"a": [1, None]}
    assert answer(b"null").json() is None
