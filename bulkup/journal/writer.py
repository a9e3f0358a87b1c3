"""The writer thread, with group commit.

A task passes its statements to the thread and waits. The thread takes all waiting jobs, writes them in one transaction,
and wakes their tasks when the commit is on disk. The slower the disk, the larger the groups.

Within a group, the rows of equal statements are written together, not job by job. SQLite releases the interpreter lock
for each execution, so with one execution per row this thread and the event loop would keep passing the lock to each
other. The order does not matter: a task waits for its rows before it writes about the same file again, so no two jobs
of a group concern the same file.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from bulkup.errors import JournalError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import sqlite_errors
from bulkup.journal.error_mapping import DamagedJournalError
from bulkup.journal.file_identity import FileIdentityCheck

Rows = Sequence[Sequence[Any]]
Answer = tuple[Any, ...]
_ROWS_PER_EXECUTION = 64  # more rows make the statement no faster


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """`commit_interval` is the shortest time from one commit to the next, in seconds.

    Without it, a fast disk would make the thread commit each row alone, and take the interpreter lock from the event
    loop each time. The first job after a pause does not wait.
    """

    commit_interval: float = 0.003


DEFAULT_OPTIONS = WriterOptions()


class Statement(NamedTuple):
    """An SQL statement and its rows. If the text contains `{rows}`, one execution takes many rows.

    A statement with `returns_rows` is a query. It runs after all statements of its group that write. `otherwise`
    returns the statements that follow an insertion where some of the rows were there already, and were not inserted.
    """

    sql: str
    rows: Rows
    returns_rows: bool = False
    otherwise: Callable[[], Iterable[Statement]] | None = None

    def run(self, connection: sqlite3.Connection) -> list[Answer]:
        """Execute it for all rows in the open transaction, and return the rows that it yields."""
        if "{rows}" not in self.sql:
            connection.executemany(self.sql, self.rows)
            return []
        answers: list[Answer] = []
        before = connection.total_changes
        row = f"({', '.join('?' * len(self.rows[0]))})"
        for start in range(0, len(self.rows), _ROWS_PER_EXECUTION):
            block = self.rows[start : start + _ROWS_PER_EXECUTION]
            sql = self.sql.replace("{rows}", ", ".join([row] * len(block)))
            answers += connection.execute(sql, list(itertools.chain.from_iterable(block))).fetchall()
        if self.otherwise is not None and connection.total_changes - before < len(self.rows):
            for statement in self.otherwise():
                statement.run(connection)
        return answers


class _Job(NamedTuple):
    statements: Sequence[Statement]
    done: asyncio.Future[list[Answer]]
    loop: asyncio.AbstractEventLoop


class Writer:
    """Owns a connection and its thread from its creation to `close`."""

    def __init__(self, connection: sqlite3.Connection, path: str, options: WriterOptions = DEFAULT_OPTIONS) -> None:
        self._connection = connection
        self._path = path
        self._options = options
        self._file_identity = FileIdentityCheck(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._group: list[_Job] = []  # the jobs that the thread has taken and not answered yet
        self._ended: JournalError | None = None  # the reason why nothing is written any more
        self._thread = threading.Thread(target=self._run, name="bulkup-journal", daemon=True)
        self._thread.start()

    async def write(self, statements: Iterable[Statement]) -> list[Answer]:
        """Write the statements, wait until they are on disk, and return the rows of the query among them, if any.

        Raises `JournalError`; then none of them was written.
        """
        wanted = [statement for statement in statements if statement.rows]
        if not wanted:
            return []
        loop = asyncio.get_running_loop()
        job = _Job(wanted, loop.create_future(), loop)
        self._jobs.put(job)
        if self._ended is not None:  # then this job may never be answered
            job.done.cancel()
            raise self._ended
        return await job.done

    def refuse(self, error: DamagedJournalError) -> None:
        """Refuse all later writes with this error, because the journal is damaged."""
        self._ended = self._ended or error

    @property
    def damaged(self) -> bool:
        """Whether writes are refused because the journal is damaged."""
        return isinstance(self._ended, DamagedJournalError)

    def close(self) -> None:
        """Write all waiting jobs and end the thread. Blocks until it has ended."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            open_, not_before = True, time.monotonic()
            while open_:
                open_ = self._gather(not_before)
                not_before = time.monotonic() + self._options.commit_interval
                if self._group:
                    self._commit(self._group)
                    self._group = []
        except BaseException as error:  # noqa: BLE001  # without the thread, every task would wait for ever
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Answer all waiting tasks, and those that ask later, with the end of this thread."""
        ended = JournalError(
            f"the thread that writes the journal {self._path} ended unexpectedly ({type(error).__name__}); "
            "no recorded row is lost",
            hint="run the same command again",
        )
        ended.__cause__ = error
        # Set before the queue is emptied: a task that puts a job into the queue after that looks at it.
        self._ended = ended
        with contextlib.suppress(queue.Empty):
            while True:
                if (job := self._jobs.get_nowait()) is not None:
                    self._group.append(job)
        for job in self._group:
            unanswered: list[tuple[asyncio.Future[list[Answer]], list[Answer]]] = [(job.done, [])]
            with contextlib.suppress(RuntimeError):  # in a closed loop no task waits
                job.loop.call_soon_threadsafe(_settle, unanswered, ended)

    def _gather(self, not_before: float) -> bool:
        """Take all waiting jobs into the group, once there are any. Return False when the writer is closed."""
        job = self._jobs.get()
        if job is None:
            return False
        self._group.append(job)
        wait = not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        with contextlib.suppress(queue.Empty):
            while (job := self._jobs.get_nowait()) is not None:
                self._group.append(job)
            return False
        return True

    def _commit(self, group: list[_Job]) -> None:
        error: BaseException | None = None
        answers: list[list[Answer]] = [[] for _ in group]
        try:
            if self._ended is not None:
                raise self._ended
            with sqlite_errors(self._path):
                answers = self._transaction(group)
                # After the commit: rows are reported as recorded only if they are in the file that the next run opens.
                self._file_identity.check()
        except DamagedJournalError as caught:
            self.refuse(caught)
            error = caught
        except Exception as caught:  # noqa: BLE001  # any error is passed to the waiting tasks
            error = caught
        answered = list(zip(group, answers, strict=True))
        for loop in {job.loop for job in group}:
            # One wake-up per commit, not one per job. In a closed loop no task waits.
            with contextlib.suppress(RuntimeError):
                settled = [(job.done, answer) for job, answer in answered if job.loop is loop]
                loop.call_soon_threadsafe(_settle, settled, error)

    def _transaction(self, group: list[_Job]) -> list[list[Answer]]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _by_kind(group):
                statement.run(self._connection)
            answers = [_query_results(job, self._connection) for job in group]
            self._connection.execute("COMMIT")
        except BaseException:
            # After a full disk SQLite may have rolled back already. The first error is the one to report.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        return answers


def _by_kind(group: Sequence[_Job]) -> list[Statement]:
    """Return the writing statements of a group, each once with the rows of all jobs, in the order of first use."""
    by_sql: dict[str, list[Statement]] = {}
    for job in group:
        for statement in job.statements:
            if not statement.returns_rows:
                by_sql.setdefault(statement.sql, []).append(statement)
    return [same[0] if len(same) == 1 else _together(same) for same in by_sql.values()]


def _together(same: Sequence[Statement]) -> Statement:
    """Return one statement for the rows of several with the same text."""
    rows = [row for statement in same for row in statement.rows]
    others = [statement.otherwise for statement in same if statement.otherwise is not None]
    otherwise = (lambda: [later for other in others for later in other()]) if others else None
    return Statement(same[0].sql, rows, otherwise=otherwise)


def _query_results(job: _Job, connection: sqlite3.Connection) -> list[Answer]:
    return [answer for statement in job.statements if statement.returns_rows for answer in statement.run(connection)]


def _settle(settled: list[tuple[asyncio.Future[list[Answer]], list[Answer]]], error: BaseException | None) -> None:
    for future, answer in settled:
        if future.done():  # the waiting task was cancelled; its rows are written anyway
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
