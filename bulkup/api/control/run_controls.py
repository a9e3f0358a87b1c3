"""Carries requests out on a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

from bulkup.api.control.control_messages import Request
from bulkup.api.control.progress_message import progress_object
from bulkup.api.uploader import Uploader
from bulkup.config import Settings
from bulkup.config.catalogue import SETTINGS
from bulkup.errors import UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.reports.json_text import time_text


class RunControls:
    """The run of an `Uploader`. `stop` ends it: in order, or at once where its argument says so."""

    def __init__(
        self,
        uploader: Uploader,
        stop: Callable[[bool], None],
        *,
        profile: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._uploader = uploader
        self._profile = profile
        self._began = (clock or SystemClock()).now() - uploader.progress().elapsed
        self.stop = stop
        self._stop_asked = False

    def progress(self) -> dict[str, Any]:
        """Return the progress, the identity of the run, and its present limits."""
        uploader, settings = self._uploader, self._uploader.settings
        limits = uploader.limits
        # The run learns of a stop by a signal, a moment later than the client gets its answer.
        state = {"state": "stopping"} if self._stop_asked else {}
        return {
            **progress_object(uploader.progress()),
            **state,
            "profile": self._profile,
            "pid": os.getpid(),
            "journal": uploader.journal,
            "provider": settings.provider,
            "began": time_text(self._began),
            "limits": {
                "concurrency": limits.concurrency,
                "bwlimit": limits.bwlimit,
                "bytes_per_second": limits.bytes_per_second,
                "max_duration": settings.max_duration,
                "until": None if settings.until is None else str(settings.until),
                "max_files": settings.max_files,
                "max_bytes": settings.max_bytes,
            },
        }

    def carry_out(self, request: Request) -> dict[str, Any]:
        """Return the answer to a request. `stop` with `now` and `watch` are carried out by the server.

        Raises `UsageError` for a value that cannot be used.
        """
        uploader = self._uploader
        if request.do == "settings":
            return settings_answer(uploader.settings)
        if request.do == "pause":
            uploader.pause()
        elif request.do == "resume":
            uploader.resume()
        elif request.do == "stop" and not request.now:
            self._stop_asked = True
            self.stop(False)
        elif request.do == "bwlimit":
            uploader.limit_bandwidth(None if request.value is None else str(request.value))
        elif request.do == "concurrency":
            uploader.set_concurrency(_concurrency(request.value))
        return {"ok": True, "progress": self.progress()}


def settings_answer(settings: Settings) -> dict[str, Any]:
    """Return the answer with the settings of a run; secrets are masked."""
    values = settings.model_dump(mode="json")
    return {"ok": True, "settings": {name: values[setting.field] for name, setting in SETTINGS.items()}}


def _concurrency(value: str | int | None) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, int):
        return value
    raise UsageError(f"concurrency: expected auto or a number, not {value!r}")
