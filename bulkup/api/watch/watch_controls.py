"""The control socket of a watch: one for all of its runs.

Between two runs the state is "watching", and the figures are those of the last run. A pause and limits that were set
hold for later runs as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bulkup.api.control.control_messages import Request
from bulkup.api.control.progress_message import progress_object
from bulkup.api.control.run_controls import RunControls, settings_answer
from bulkup.api.uploader import Uploader
from bulkup.config import Settings
from bulkup.config.timetable import parse_timetable
from bulkup.errors import UsageError
from bulkup.model.progress import Progress

_KEPT = frozenset({"bwlimit", "concurrency"})


class WatchControls:
    """Passes requests to the run under way, and keeps those that hold for later runs. `stop` ends the watch."""

    def __init__(
        self, settings: Callable[[], Settings], journal: str, stop: Callable[[bool], None], *, profile: str | None
    ) -> None:
        self.stop = stop
        self._settings = settings
        self._journal = journal
        self._profile = profile
        self._run: RunControls | None = None
        self._last: dict[str, Any] | None = None
        self._paused = False
        self._changes: dict[str, Request] = {}

    def begin(self, uploader: Uploader) -> None:
        """Pass requests to this run from now on. Earlier requests about pause and limits hold for it too."""
        self._run = RunControls(uploader, self.stop, profile=self._profile)
        for request in self._changes.values():
            self._run.carry_out(request)
        if self._paused:
            uploader.pause()

    @property
    def is_paused(self) -> bool:
        """Whether no file is sent until another request."""
        return self._paused

    def forget_bandwidth(self) -> None:
        """Let later runs have the limit of the profile, which was read again."""
        self._changes.pop("bwlimit", None)

    def end(self) -> None:
        """Pass no more requests to the run, which has ended."""
        self._last, self._run = self.progress(), None

    def progress(self) -> dict[str, Any]:
        """Return the progress of the run under way, or that of the last one as "watching"."""
        if self._run is not None:
            return self._run.progress()
        state = "paused" if self._paused else "watching"
        if self._last is not None:
            return {**self._last, "state": state, "sending": [], "eta": None}
        nothing = progress_object(Progress("", 0.0, 0, 0, 0, 0, total_known=False))
        mine = {"profile": self._profile, "pid": os.getpid(), "journal": self._journal, "state": state}
        return {**nothing, **mine, "provider": self._settings().provider, "limits": {}}

    def carry_out(self, request: Request) -> dict[str, Any]:
        """Return the answer to a request. Raises `UsageError` for a value that cannot be used."""
        if request.do in ("pause", "resume"):
            self._paused = request.do == "pause"
        if self._run is not None:
            answer = self._run.carry_out(request)
        elif request.do == "settings":
            return settings_answer(self._settings())
        else:
            _check(request)
            answer = {"ok": True}
            if request.do == "stop" and not request.now:
                self.stop(False)
        if request.do in _KEPT:
            self._changes[request.do] = request
        return answer if "progress" in answer or "settings" in answer else {**answer, "progress": self.progress()}


def _check(request: Request) -> None:
    """Raise `UsageError` for a limit that no run could have: the next run would meet it."""
    if request.do == "bwlimit" and request.value is not None:
        try:
            parse_timetable(request.value)
        except ValueError as error:
            raise UsageError(f"bwlimit: {error}") from error
    if request.do == "concurrency":
        raise UsageError("concurrency cannot be changed between two runs", hint="set it while files are sent")
