"""The property list of a schedule for launchd."""

from __future__ import annotations

import plistlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedule_jobs import job

from bulkup.cli.schedule.launchd_plist import plist_text
from bulkup.cli.schedule.schedule_times import parse_times
from bulkup.cli.schedule.scheduled_job import read_mark
from bulkup.errors import UsageError

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0xD7FF), min_size=1, max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_values_are_read_as_they_were(words: list[str], profile: str) -> None:
    text = plist_text(job(command=tuple(words), profile=profile), "/log")
    assert plistlib.loads(text.encode())["ProgramArguments"] == words
    mark = read_mark(text.encode())
    assert mark is not None
    assert mark.profile == profile


def test_the_values_of_a_job() -> None:
    one = job(times=parse_times(["02:00"], "Sun"), is_system=True, user="backup")
    values = plistlib.loads(plist_text(one, "/Library/Logs/bulkup/nightly.log").encode())
    assert values["Label"] == "bulkup.nightly"
    assert values["StartCalendarInterval"] == [{"Weekday": 0, "Hour": 2, "Minute": 0}]
    assert values["EnvironmentVariables"] == {"HOME": "/home/u"}
    assert values["StandardErrorPath"] == values["StandardOutPath"] == "/Library/Logs/bulkup/nightly.log"
    assert values["ExitTimeOut"] == 90
    assert values["UserName"] == "backup"


def test_a_watch_is_started_with_the_machine_and_after_a_failure() -> None:
    text = plist_text(job(times=None), "/log")
    values = plistlib.loads(text.encode())
    assert "StartCalendarInterval" not in values
    assert (values["RunAtLoad"], values["KeepAlive"], values["ThrottleInterval"]) == (
        True,
        {"SuccessfulExit": False},
        60,
    )
    mark = read_mark(text.encode())
    assert mark is not None
    assert mark.is_watch


def test_a_name_cannot_end_the_comment_with_the_mark() -> None:
    one = job(profile="a --> <plist> --", config="/x--y")
    text = plist_text(one, "/log")
    assert plistlib.loads(text.encode())["Label"] == "bulkup.nightly"
    mark = read_mark(text.encode())
    assert mark is not None
    assert (mark.profile, mark.config) == (one.profile, one.config)


@pytest.mark.parametrize("word", ["a\x00", "\x1b[1m", "\udcff"])
def test_what_a_property_list_cannot_contain_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="property list"):
        plist_text(job(command=(word,)), "/log")
