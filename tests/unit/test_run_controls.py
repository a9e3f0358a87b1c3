"""Requests that are carried out on a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from made_progress import HALF

from bulkup import Settings
from bulkup.api.control.control_messages import Request
from bulkup.api.control.run_controls import RunControls
from bulkup.api.uploader import LiveLimits, Uploader


class PausedUploader:
    """A run that is paused, and learns of a stop later."""

    settings = Settings(provider="local")
    journal = "/journal"
    limits = LiveLimits(4, None, None)

    def progress(self) -> Any:
        return replace(HALF, state="paused")


def test_the_answer_to_a_stop_during_a_pause_says_that_the_run_stops() -> None:
    """The stop reaches the run by a signal, after the answer."""
    stopped = list[bool]()
    controls = RunControls(cast("Uploader", PausedUploader()), stopped.append)
    assert controls.progress()["state"] == "paused"
    assert controls.carry_out(Request("stop"))["progress"]["state"] == "stopping"
    assert controls.progress()["state"] == "stopping"
    assert stopped == [False]
