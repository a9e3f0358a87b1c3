"""The control socket of a watch: its answers between two runs, and what later runs have of it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from made_progress import HALF

from bulkup import Settings
from bulkup.api.control.control_messages import Request
from bulkup.api.uploader import LiveLimits, Uploader
from bulkup.api.watch.watch_controls import WatchControls
from bulkup.errors import UsageError

SETTINGS = Settings(provider="local")


class FakeUploader:
    """A run that keeps what was asked of it."""

    settings = SETTINGS
    journal = "/journal"
    limits = LiveLimits(4, None, None)

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def progress(self) -> Any:
        return HALF

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def limit_bandwidth(self, value: str | None) -> None:
        self.asked.append(value)

    def set_concurrency(self, value: Any) -> None:
        self.asked.append(value)


def controls() -> tuple[WatchControls, list[bool]]:
    stopped = list[bool]()
    return WatchControls(lambda: SETTINGS, "/journal", stopped.append, profile="nightly"), stopped


def begin(watch: WatchControls) -> FakeUploader:
    run = FakeUploader()
    watch.begin(cast("Uploader", run))
    return run


def test_the_progress_before_during_and_after_a_run() -> None:
    """Between two runs the figures are those of the last one."""
    watch, _ = controls()
    first = watch.progress()
    assert (first["state"], first["profile"], first["provider"]) == ("watching", "nightly", "local")
    begin(watch)
    assert watch.progress()["state"] == "running"
    watch.end()
    after = watch.progress()
    assert (after["state"], after["files_done"], after["sending"]) == ("watching", HALF.files_done, [])


def test_later_runs_have_the_pause_and_the_limits() -> None:
    watch, _ = controls()
    begin(watch)
    watch.carry_out(Request("concurrency", value=7))
    watch.end()
    assert watch.carry_out(Request("pause"))["progress"]["state"] == "paused"
    watch.carry_out(Request("bwlimit", value="2M"))
    assert begin(watch).asked == [7, "2M", "pause"]
    watch.end()
    watch.carry_out(Request("resume"))
    assert begin(watch).asked == [7, "2M"]


def test_a_profile_that_is_read_again_replaces_the_limit() -> None:
    watch, _ = controls()
    watch.carry_out(Request("bwlimit", value="2M"))
    watch.forget_bandwidth()
    watch.forget_bandwidth()
    assert begin(watch).asked == []


def test_limits_that_no_run_could_have() -> None:
    watch, _ = controls()
    with pytest.raises(UsageError, match="bwlimit: expected"):
        watch.carry_out(Request("bwlimit", value="fast"))
    with pytest.raises(UsageError, match="between two runs"):
        watch.carry_out(Request("concurrency", value=7))
    assert begin(watch).asked == []


def test_stopping_and_settings_between_runs() -> None:
    watch, stopped = controls()
    assert watch.carry_out(Request("stop"))["ok"]
    assert stopped == [False]
    assert watch.carry_out(Request("settings"))["settings"]["provider"] == "local"
