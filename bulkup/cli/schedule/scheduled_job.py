"""A job of a service manager, and the mark by which bulkup recognises what it has written. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bulkup.cli.schedule.schedule_times import ScheduleTimes
from bulkup.helpers.quick_dataclass import dataclass

_MARK = re.compile(r"bulkup-schedule: (\{.*\})")
UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Credential:
    """A file whose content the service manager hands to the job, and the name under which it does."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """An upload that a service manager starts: at certain `times`, or as a watch (None), which it keeps running.

    `name` is that of its units, without the beginning `bulkup-`. `command` has the path of the program first.
    `writable` are the folders that the run writes to. `user` runs it, None for the user of the service manager.
    `stop_after` is the time in seconds that it may take to end after a signal. `uses_temporary` says that it uses files
    below /tmp, `takes_files_away` that it removes files from the source.
    """

    name: str
    profile: str
    config: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    credentials: tuple[Credential, ...]
    writable: tuple[str, ...]
    times: ScheduleTimes | None
    delay: int
    stop_after: int
    is_system: bool
    user: str | None = None
    uses_temporary: bool = False
    takes_files_away: bool = False

    @property
    def unit(self) -> str:
        """The name of the units, without their ends."""
        return f"bulkup-{self.name}"

    def mark(self) -> str:
        """Return the mark, for a comment on one line."""
        values: dict[str, Any] = {"profile": self.profile, "config": self.config}
        if self.times is None:
            values["watch"] = True
        else:
            values |= {"at": self.times.at_texts(), "weekdays": self.times.weekdays_text()}
        text = json.dumps(values)
        return f"bulkup-schedule: {text.replace('--', '-' + chr(92) + 'u002d')}"  # "--" would end a comment of XML


@dataclass(frozen=True, slots=True)
class Mark:
    """The values in the mark of a file. A watch has no times."""

    profile: str
    config: str
    at: tuple[str, ...] = ()
    weekdays: str = ""
    is_watch: bool = False


def read_mark(content: bytes) -> Mark | None:
    """Return the mark in the content of a file, None if bulkup did not write it."""
    for found in _MARK.finditer(content.decode("utf-8", "surrogateescape")):
        try:
            read: Any = json.loads(found[1])
            profile, config = str(read["profile"]), str(read["config"])
            if read.get("watch") is True:
                return Mark(profile, config, is_watch=True)
            return Mark(profile, config, tuple(map(str, read["at"])), str(read["weekdays"]))
        except (ValueError, KeyError, TypeError):
            continue
    return None
