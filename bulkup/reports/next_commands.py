"""The commands that mend files which were not uploaded.

Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkup.model.reason_hints import hint_for
from bulkup.model.states import FileState

_EXTENSION = 'unsupported = "skip"'


class JournalOptions(NamedTuple):
    """Options for the shell: with `reading` commands find a journal, and with `running` a run finds the service too."""

    reading: str = ""
    running: str = ""


def next_commands(status: FileState, reason: str, options: str) -> list[str]:
    """Return the commands that mend a file, the best one first; `options` are those of a run."""
    retry = _command("retry", options)
    if status is not FileState.REJECTED:
        return [retry]
    skip = _command("upload", options, "--unsupported skip")
    return [*([skip] if _EXTENSION in hint_for(reason) else []), f"{retry} --retry-rejected"]


def _command(name: str, *parts: str) -> str:
    return " ".join(["bulkup", name, *filter(None, parts)])
