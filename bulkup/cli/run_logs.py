"""The log of a run: on standard error, and in the log file of the settings."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bulkup.config import ResolvedSettings, Settings, journal_path, outside_sources
from bulkup.errors import UsageError
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.reports.log_lines import json_line, named_line
from bulkup.reports.logs import LogTarget, error_target, levels_from, log_to

if TYPE_CHECKING:
    from bulkup.reports.error_console import ErrorConsole
    from bulkup.reports.log_file import LogFile

_log = EventLogger("bulkup")
_OPTION = "--log-file"


def log_to_errors(settings: Settings, console: ErrorConsole | None) -> LogTarget:
    """Log on standard error, above a live view on the `console`, if any. Return the target.

    The view shows progress itself, and that a watch waits.
    """
    level = "error" if settings.quiet else settings.log_level
    hidden = () if console is None else (LogEvent.PROGRESS, LogEvent.WATCH_IDLE)
    errors = error_target(settings.log_format, level, console=console, hidden=hidden)
    log_to(errors)
    return errors


@contextlib.contextmanager
def log_file(resolved: ResolvedSettings, errors: LogTarget) -> Iterator[None]:
    """Log into the file of the settings as well, if there is one. Raises UsageError if it cannot be used."""
    settings = resolved.settings
    if settings.log_file is None:
        yield
        return
    file = _open(settings.log_file, resolved)
    line = json_line if settings.log_format == "json" else named_line
    log_to(errors, LogTarget(levels_from(settings.log_level), (), line, file.write))
    try:
        yield
    finally:
        log_to(errors)
        file.close()


def logs_progress(settings: Settings, console: ErrorConsole | None) -> bool:
    """Return whether progress is logged: without a live view that shows it, or into a log file."""
    return settings.log_file is not None or (console is None and not settings.quiet)


def check_log_file(resolved: ResolvedSettings) -> None:
    """Raise UsageError if the log file of the settings cannot be used. Nothing is created."""
    path = resolved.settings.log_file
    if path is None:
        return
    _check_place(path, resolved)
    place = path if os.path.exists(path) else os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise _unwritable(path, os.strerror(errno.EISDIR))
    if not os.access(place, os.W_OK):
        raise _unwritable(path, os.strerror(errno.EACCES if os.path.exists(place) else errno.ENOENT))


def _check_place(path: str, resolved: ResolvedSettings) -> None:
    from bulkup.cli.output_file import refuse_journals  # noqa: PLC0415  # few runs have such a file

    settings = resolved.settings
    outside_sources(path, settings.source, "log_file")
    journal = journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
    refuse_journals(path, journal, option=_OPTION)


def _unwritable(path: str, reason: str) -> UsageError:
    hint = f"name a file in a folder that you may write to with {_OPTION}, or none"
    return UsageError(f"log_file: cannot write {path}: {reason}", hint=hint)


def _open(path: str, resolved: ResolvedSettings) -> LogFile:
    from bulkup.reports.log_file import open_log_file  # noqa: PLC0415  # few runs have such a file

    settings = resolved.settings
    _check_place(path, resolved)

    def failed(reason: str) -> None:
        _log.warning(LogEvent.LOG_FILE_FAILED, path=path, reason=reason)

    try:
        return open_log_file(path, size=settings.log_file_size, count=settings.log_file_count, failed=failed)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
