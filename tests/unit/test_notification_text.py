"""The forms of a notification."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.api.notify.notification import Moment, Notification, RunProfile, end_of_run, moment_of
from bulkup.api.notify.notification_text import notification_object, plain_text, requests_for, slack_text, variables
from bulkup.api.run_summary import Summary
from bulkup.config.notify_table import parse_notify
from bulkup.errors import ServiceError
from bulkup.helpers.secrets import SecretAddress
from bulkup.model.counters import Counters
from bulkup.model.files import Source
from bulkup.model.http import ApiRequest

PROFILE = RunProfile("nightly", "backup1")
ADDRESSES = {
    "ping_url": SecretAddress("https://hc.example/uuid/?create=1"),
    "webhook_url": SecretAddress("https://hooks.example/json"),
    "slack_url": SecretAddress("https://slack.example/T0/B0"),
}


def summary(failed: int = 0, rejected: int = 0) -> Summary:
    counters = Counters(found=10, uploaded=7, bytes_uploaded=2048, failed=failed, rejected=rejected)
    counters.note_reason("failed", "storage answered 500 <now>")
    return Summary("20260101-ab12", 1, counters, 61.0)


FAILED = end_of_run(summary(failed=2, rejected=1), 1, PROFILE, 0.0, (0,))
START = Notification("start", PROFILE, 0.0)


def sent(told: Notification, **table: Any) -> dict[str, ApiRequest]:
    addresses: Mapping[str, SecretAddress] = ADDRESSES
    return dict(requests_for(told, parse_notify({"ping_url": "env:A", **table}), addresses))


@pytest.mark.parametrize(
    ("moment", "code", "style", "path"),
    [
        ("start", None, "code", "https://hc.example/uuid/start?create=1"),
        ("success", 0, "code", "https://hc.example/uuid/?create=1"),
        ("success", 3, "code", "https://hc.example/uuid/?create=1"),
        ("failure", 143, "code", "https://hc.example/uuid/143?create=1"),
        ("failure", 143, "fail", "https://hc.example/uuid/fail?create=1"),
        ("failure", None, "code", "https://hc.example/uuid/fail?create=1"),
    ],
)
def test_pings_are_those_of_healthchecks(moment: Moment, code: int | None, style: str, path: str) -> None:
    told = Notification(moment, PROFILE, 0.0, exit_code=code)
    assert sent(told, ping_failure=style)["ping_url"].path == path


def test_an_empty_source_is_named_as_the_reason() -> None:
    """A source that is not mounted is the reason of a night without any failed file."""
    source = Source(b"/data")
    told = end_of_run(Summary("r", 3, Counters(), 1.0, lost_sources=(source,)), 3, PROFILE, 0.0, (0,))
    assert "a source that had files is empty. Is it mounted?" in plain_text(told)


def test_each_receiver_gets_its_form() -> None:
    requests = sent(FAILED)
    assert set(requests) == set(ADDRESSES)
    assert orjson.loads(requests["webhook_url"].body or b"")["summary"]["files"]["failed"] == 2
    assert orjson.loads(requests["slack_url"].body or b"") == {"text": slack_text(FAILED)}
    assert (requests["ping_url"].body or b"").decode() == plain_text(FAILED)
    assert all(request.secret_path for request in requests.values())


def test_the_table_says_when_a_receiver_is_notified() -> None:
    assert set(sent(START)) == {"ping_url"}
    assert set(sent(START, webhook_on=["start"], slack_on=["start"])) == set(ADDRESSES)
    assert set(sent(Notification("success", PROFILE, 0.0))) == {"ping_url", "webhook_url"}


def test_the_object_of_a_run_that_could_not_start() -> None:
    told = Notification("failure", PROFILE, 1_700_000_000.0, None, 5, "another run holds the journal", "locked", "wait")
    assert notification_object(told) == {
        "event": "run.failure",
        "test": False,
        "id": "backup1-1700000000.000:failure",
        "profile": "nightly",
        "host": "backup1",
        "time": "2023-11-14T22:13:20.000Z",
        "run": None,
        "exit_code": 5,
        "outcome": "another run holds the journal",
        "error": "locked",
        "hint": "wait",
        "report": None,
        "summary": None,
    }


def test_a_report_is_named_to_all_receivers() -> None:
    told = dataclasses.replace(FAILED, report="https://r.example/<b>")
    assert notification_object(told)["report"] == "https://r.example/<b>"
    assert variables(told)["BULKUP_REPORT_LINK"] == "https://r.example/<b>"
    assert "report: https://r.example/<b>" in plain_text(told).splitlines()
    assert "report: https://r.example/&lt;b&gt;" in slack_text(told)


def test_the_text_has_figures_and_reasons() -> None:
    assert plain_text(FAILED).splitlines() == [
        "bulkup nightly on backup1: some files failed",
        "7 of 10 files uploaded (2.0 KiB), 0 skipped, in 1 min 01 s",
        "2 failed, 1 rejected",
        "- 1 failed: storage answered 500 <now>",
        "run 20260101-ab12, exit code 1",
    ]


def test_the_text_has_the_error_that_ended_the_run() -> None:
    error = ServiceError("the key is refused", hint="renew it")
    ended = end_of_run(dataclasses.replace(summary(), error=error), 4, RunProfile(None, "h"), 0.0, (0,))
    assert plain_text(ended).splitlines()[0] == "bulkup on h: the service refused, or cannot be used"
    assert plain_text(ended).splitlines()[-3:] == ["the key is refused", "renew it", "run 20260101-ab12, exit code 4"]


def test_a_test_message_says_so() -> None:
    told = Notification("success", PROFILE, 0.0, test=True)
    assert plain_text(told) == "bulkup nightly on backup1: success (a test message)"
    assert notification_object(told)["test"] is True


def test_slack_gets_its_marks_and_escapes() -> None:
    assert slack_text(FAILED).startswith(":x: *nightly* on backup1: some files failed\n")
    assert "storage answered 500 &lt;now&gt;" in slack_text(FAILED)


def test_variables_of_a_command() -> None:
    assert variables(FAILED) == {
        "BULKUP_EVENT": "failure",
        "BULKUP_EXIT_CODE": "1",
        "BULKUP_OUTCOME": "some files failed",
        "BULKUP_PROFILE": "nightly",
        "BULKUP_RUN": "20260101-ab12",
    }
    assert variables(Notification("success", RunProfile(None, "h"), 0.0, exit_code=0)) == {
        "BULKUP_EVENT": "success",
        "BULKUP_EXIT_CODE": "0",
    }


@pytest.mark.parametrize(
    ("code", "good", "moment"), [(0, (0,), "success"), (3, (0,), "failure"), (3, (0, 3), "success")]
)
def test_exit_codes_that_count_as_success(code: int, good: tuple[int, ...], moment: str) -> None:
    assert moment_of(code, good) == moment


@given(st.text(), st.text(max_size=5000))
def test_any_text_can_be_sent(name: str, error: str) -> None:
    """Names of profiles and errors may have any characters, and any length."""
    told = Notification("failure", RunProfile(name, "h"), 0.0, "r", 7, "x", error, error)
    for request in sent(told).values():
        assert len(request.body or b"") < 40_000
        (request.body or b"").decode()
    assert all("\0" not in value for value in variables(told).values())
    assert not any(char in plain_text(told) for char in "\x1b\0\x07\u202e")
