"""The one thread that writes, with group commit.

Whoever has something to record hands it over and waits; the thread takes all that has gathered, writes it in one
transaction, and wakes everybody when the commit is on disk. The slower the disk, the larger the groups.

What has gathered is written kind by kind and not job by job: SQLite lets go of the interpreter once an execution, and
one at a time this thread and the event loop would spend their time handing it to each other. That is the same as one
after the other because whoever wrote about a file waits before writing about it again: no two jobs of a group are about
the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bulkup.journal.database import sqlite_errors
from bulkup.journal.file_identity import FileIdentityCheck

Rows = Sequence[Sequence[Any]]
Answer = tuple[Any, ...]
_ROWS_AT_ONCE = 64
# Seconds from one commit to the next. On a fast disk this thread would commit every row by itself, and take the
# interpreter from the event loop each time; who comes alone does not wait.
_SHORTEST_PERIOD = 0.003


class Statement(NamedTuple):
    """One SQL statement and the rows to run it with. Where the text says `{rows}`, many rows go into one execution.

    One that `asks` answers with rows, and is run after all that is written.
    """

    sql: str
    rows: Rows
    asks: bool = False

    def run(self, connection: sqlite3.Connection) -> list[Answer]:
        """Execute it for all rows, within whatever transaction is open, and return what it answers."""
        if "{rows}" not in self.sql:
            connection.executemany(self.sql, self.rows)
            return []
        answers: list[Answer] = []
        row = f"({', '.join('?' * len(self.rows[0]))})"
        for start in range(0, len(self.rows), _ROWS_AT_ONCE):
            block = self.rows[start : start + _ROWS_AT_ONCE]
            sql = self.sql.replace("{rows}", ", ".join([row] * len(block)))
            answers += connection.execute(sql, list(itertools.chain.from_iterable(block))).fetchall()
        return answers


class _Job(NamedTuple):
    statements: Sequence[Statement]
    done: asyncio.Future[list[Answer]]
    loop: asyncio.AbstractEventLoop


class Writer:
    """Owns a connection and its thread from `start` to `close`."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._presence = FileIdentityCheck(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bulkup-journal", daemon=True)
        self._thread.start()

    async def write(self, statements: Iterable[Statement]) -> list[Answer]:
        """Return what the statement that asks is answered, if there is one, when all are committed and on disk.

        Raises `JournalError`; then none of them is.
        """
        wanted = [statement for statement in statements if statement.rows]
        if not wanted:
            return []
        loop = asyncio.get_running_loop()
        job = _Job(wanted, loop.create_future(), loop)
        self._jobs.put(job)
        return await job.done

    def close(self) -> None:
        """Write what was handed over, then end the thread; blocks until it has."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_, begun = True, 0.0
        while open_:
            group, open_ = self._gather(begun + _SHORTEST_PERIOD)
            begun = time.monotonic()
            if group:
                self._commit(group)

    def _gather(self, not_before: float) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._jobs.get()
        wait = not_before - time.monotonic()
        if job is not None and wait > 0:
            time.sleep(wait)
        with contextlib.suppress(queue.Empty):
            while job is not None:
                group.append(job)
                job = self._jobs.get_nowait()
            return group, False
        return group, True

    def _commit(self, group: list[_Job]) -> None:
        error: BaseException | None = None
        answers: list[list[Answer]] = [[] for _ in group]
        try:
            with sqlite_errors(self._path):
                answers = self._transaction(group)
                # After the commit: what is told as recorded then stood in the journal that the next run will open.
                self._presence.check()
        except Exception as caught:  # noqa: BLE001  # whatever it is belongs to those who wait, not to this thread
            error = caught
        answered = list(zip(group, answers, strict=True))
        for loop in {job.loop for job in group}:
            # One wake-up a commit, not one a job; a loop that is closed already has nobody waiting.
            with contextlib.suppress(RuntimeError):
                settled = [(job.done, answer) for job, answer in answered if job.loop is loop]
                loop.call_soon_threadsafe(_settle, settled, error)

    def _transaction(self, group: list[_Job]) -> list[list[Answer]]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _by_kind(group):
                statement.run(self._connection)
            answers = [_asked(job, self._connection) for job in group]
            self._connection.execute("COMMIT")
        except BaseException:
            # After a full disk SQLite may have rolled back by itself; the first error is the one to tell.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        return answers


def _by_kind(group: Sequence[_Job]) -> list[Statement]:
    """Return what a group writes, the rows of all jobs that say the same together, in the order of first words."""
    rows: dict[str, list[Sequence[Any]]] = {}
    for job in group:
        for statement in job.statements:
            if not statement.asks:
                rows.setdefault(statement.sql, []).extend(statement.rows)
    return [Statement(sql, all_rows) for sql, all_rows in rows.items()]


def _asked(job: _Job, connection: sqlite3.Connection) -> list[Answer]:
    return [answer for statement in job.statements if statement.asks for answer in statement.run(connection)]


def _settle(settled: list[tuple[asyncio.Future[list[Answer]], list[Answer]]], error: BaseException | None) -> None:
    for future, answer in settled:
        if future.done():  # whoever waited was cancelled; the rows are written all the same
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
