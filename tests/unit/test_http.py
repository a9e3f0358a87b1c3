"""Values of HTTP answers: JSON bodies, the service's clock, and Retry-After."""

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
def test_retry_after_in_seconds(seconds: int) -> None:
    """With any padding."""
    assert wait(str(seconds)) == wait(f" {seconds} ") == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    """If the answer has no Date header, the local clock is used."""
    assert wait(MINUTE_LATER) == 60.0


def test_retry_after_as_a_date_counts_from_the_date_header() -> None:
    """A local clock that is a day off does no harm."""
    assert wait("Wed, 15 Nov 2023 22:14:20 GMT", date="Wed, 15 Nov 2023 22:13:20 GMT") == 60.0


def test_a_date_in_the_past_means_no_wait() -> None:
    """The wait is never negative."""
    assert wait(DATE, date=MINUTE_LATER) == 0.0


@pytest.mark.parametrize("date", [value for value in NONSENSE if value])
def test_an_invalid_date_header_is_ignored(date: str) -> None:
    """The local clock is used instead."""
    assert wait(MINUTE_LATER, date=date) == 60.0


@pytest.mark.parametrize("form", ["Tue, 14 Nov 2023 22:14:20 GMT", "Tuesday, 14-Nov-23 22:14:20 GMT"])
def test_obsolete_date_formats_are_read(form: str) -> None:
    """RFC 9110 requires recipients to accept them."""
    assert wait(form) == 60.0


def test_a_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest format has no zone. The machine's own zone must not matter."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert wait("Tue Nov 14 22:14:20 2023") == 60.0
        assert answer(date="Tue Nov 14 22:14:20 2023").server_time() == NOW + 60
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", NONSENSE)
def test_an_invalid_retry_after_is_ignored(value: str) -> None:
    assert wait(value) is None


def test_a_missing_retry_after_means_none() -> None:
    assert retry_after_seconds({}, NOW) is None
    assert retry_after_seconds({"date": DATE}, NOW) is None


@given(st.text(), st.text())
def test_any_retry_after_gives_none_or_a_wait_that_is_not_negative(value: str, date: str) -> None:
    seconds = wait(value, date=date)
    assert seconds is None or seconds >= 0.0


def test_retry_after_of_storage_is_used() -> None:
    problem = classify_s3(StorageAnswer(503, {"retry-after": "7"}, b""), NOW)
    assert problem is not None
    assert (problem.kind, problem.retry_after) == (ProblemKind.THROTTLED, 7.0)


def test_the_server_time_is_its_date_header() -> None:
    """Expiry times are compared with it."""
    assert answer(date=MINUTE_LATER).server_time() == NOW + 60


@pytest.mark.parametrize("date", NONSENSE)
def test_the_server_time_defaults_to_the_local_clock(date: str) -> None:
    """For a missing or invalid Date it is the time of the request."""
    assert answer(date=date).server_time() == NOW
    assert answer().server_time() == NOW


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff", b'"\\ud800"', b"NaN", b"[" * 100_000])
def test_invalid_json_raises_value_error(body: bytes) -> None:
    """Adapters catch one type of error. Deep nesting does not crash the program."""
    with pytest.raises(ValueError):  # noqa: PT011  # the text is the decoder's
        answer(body).json()


def test_json_may_have_a_byte_order_mark() -> None:
    """Some gateways write it in front of UTF-8."""
    assert ApiAnswer(200, {}, b'\xef\xbb\xbf{"a": 1}', 0.0).json() == {"a": 1}
    with pytest.raises(ValueError, match="unexpected character"):
        ApiAnswer(200, {}, b'{"a": \xef\xbb\xbf1}', 0.0).json()


def test_json_is_decoded() -> None:
    """Any value; adapters validate its structure."""
    assert answer(b'{"a":[1,null]}').json() == {"a": [1, None]}
    assert answer(b"null").json() is None
