"""Uploads chosen files again by a `bulkup upload` with their list, or all of them by a `bulkup retry`.

The process belongs to a session of its own, so it goes on when the dashboard ends. List and messages are
files without a name, so no file is left behind, also if the dashboard ends first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, Any

import anyio

from bulkup.dashboard.dashboard_state import DashboardState
from bulkup.dashboard.guard import RequestError
from bulkup.dashboard.journal_list import JournalView
from bulkup.errors import BulkupError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.exit_code import exit_code_text
from bulkup.reports.json_text import unicode_text
from bulkup.reports.safe_text import printable

RetryCommand = Callable[[str, bytes], Sequence[str]]  # of a journal and a source, the arguments behind `upload`
_READ = 64 * 1024  # bytes of messages
_SHOWN_LINES = 12
_LISTED = ("--files-from", "-", "--null")
_OPTIONS = ("--retry-rejected", "--log-level", "warning")


@dataclass(slots=True)
class _Job:
    number: int
    journal: str
    files: int
    begun: float
    state: str = "running"  # then `ended`, or `refused` if it could not be started
    exit_code: int | None = None
    message: str = ""
    ended: float | None = None


class RetryJobs:
    """The retries that this dashboard has started. Belongs to the event loop."""

    def __init__(self, state: DashboardState, command: RetryCommand) -> None:
        self._state = state
        self._command = command
        self._jobs: list[_Job] = []
        self._number = 0

    def objects(self, journal: str | None = None) -> list[dict[str, Any]]:
        """Return the retries, the newest first; with `journal`, those of it."""
        return [_object(job) for job in reversed(self._jobs) if journal is None or job.journal == journal]

    async def start(
        self, view: JournalView, paths_by_source: Mapping[bytes, Sequence[bytes] | None], files: int
    ) -> dict[str, Any]:
        """Start the upload of files, one source after the other; None stands for all that are not uploaded.

        Raises `RequestError`, `BulkupError`.
        """
        self._refuse_two_runs(view)
        commands = await self._state.in_thread(
            lambda: [(self._command(view.path, source), paths) for source, paths in paths_by_source.items()]
        )
        self._refuse_two_runs(view)  # another one may have begun meanwhile
        self._number += 1
        job = _Job(self._number, view.id, files, self._state.clock.now())
        self._jobs = [*self._jobs, job][-self._state.options.kept_retries :]
        self._state.group.start_soon(self._run, job, commands)
        return _object(job)

    def _refuse_two_runs(self, view: JournalView) -> None:
        if view.state == "running" or any(job.journal == view.id and job.state == "running" for job in self._jobs):
            message = "a run of this journal is under way, and only one at a time can be"
            raise RequestError(409, "running", message, "wait until it has ended, or stop it")

    async def _run(self, job: _Job, commands: Sequence[tuple[Sequence[str], Sequence[bytes] | None]]) -> None:
        self._publish(job)
        try:
            for arguments, paths in commands:
                code, message = await self._upload(arguments, paths)
                if job.exit_code is None or code > job.exit_code:
                    job.exit_code, job.message = code, message
            job.state = "ended"
        except (OSError, BulkupError) as error:
            job.state, job.message = "refused", str(error)
        job.ended = self._state.clock.now()
        await self._state.look()
        self._publish(job)

    async def _upload(self, arguments: Sequence[str], paths: Sequence[bytes] | None) -> tuple[int, str]:
        """Run the command with a list of paths, and return its exit code and the end of its messages."""
        with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as messages:
            names.write(b"".join(path + b"\0" for path in paths or ()))
            names.seek(0)
            command = ["retry", *arguments] if paths is None else ["upload", *arguments, *_LISTED]
            process = await self._state.in_thread(partial(_started, command, names, messages))
            try:
                while process.poll() is None:  # noqa: ASYNC110  # the end of a process sets no event
                    await anyio.sleep(self._state.options.retry_poll)
            finally:
                if process.returncode is None:
                    process.returncode = 0  # it goes on without the dashboard, and Python need not warn of that
            return process.returncode, _end_of(messages)

    def _publish(self, job: _Job) -> None:
        self._state.hub.publish("retry", str(job.number), _object(job))


def _started(command: Sequence[str], names: IO[bytes], messages: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-P", "-m", "bulkup", *command, *_OPTIONS],
        stdin=names,
        stdout=subprocess.DEVNULL,
        stderr=messages,
        start_new_session=True,
    )


def _end_of(messages: IO[bytes]) -> str:
    size = os.fstat(messages.fileno()).st_size
    messages.seek(max(0, size - _READ))
    lines = unicode_text(messages.read().decode("utf-8", "replace")).splitlines()
    return "\n".join(printable(line) for line in lines[-_SHOWN_LINES:] if line.strip())


def _object(job: _Job) -> dict[str, Any]:
    return {
        "number": job.number,
        "journal": job.journal,
        "files": job.files,
        "begun_at": job.begun,
        "ended_at": job.ended,
        "state": job.state,
        "exit_code": job.exit_code,
        "ended": exit_code_text(job.exit_code) if job.exit_code is not None else None,
        "message": job.message,
    }
