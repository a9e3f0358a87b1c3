"""Opens the journal's file: permissions, pragmas, migrations, and the checks for damaged or foreign files."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from bulkup.errors import JournalError
from bulkup.helpers.private_files import make_private_folder
from bulkup.journal import error_mapping
from bulkup.journal.journal_file import (
    check_for_reading,
    check_side_files,
    make_side_files_private,
    open_own_file,
)
from bulkup.journal.ticket_text import DamagedTicketError, load
from bulkup.journal.unfolding import groups

# Bytes. The check reads the file, at about 200 MB/s. A larger one is checked only if the last run was cut off.
_CHECKED_UP_TO = 256 * 1024**2
# `importlib.resources` would find it too, and its import takes a fiftieth of the CPU time of a start.
_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")
BUSY_WAIT = 10.0  # seconds for the lock of another program
_OLDEST_SQLITE = (3, 33, 0)  # UPDATE ... FROM
_PLACES_SINCE = 2
_GROUPS_SINCE = 5
_RUN_RECORDS_SINCE = 9
# As bytes: the error about a text that is not UTF-8 would contain it.
_TICKETS = "SELECT CAST(remote_id AS BLOB), expires_at, CAST(ticket AS BLOB) FROM tickets"
_NO_INDEX = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
# A folder that cannot be read was not made here, and some file systems cannot flush a folder.
_NO_FLUSH = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, errno.EROFS})


class NewerJournalError(JournalError):
    """The journal was written by a later version of bulkup."""


class UnusedJournalError(JournalError):
    """The journal has no tables yet: no run has used it."""


@functools.cache
def migrations() -> Sequence[str]:
    """Return the scripts that bring an empty file to the current version, in order."""
    scripts = []
    for name in sorted(name for name in os.listdir(_MIGRATIONS) if name.endswith(".sql")):
        with open(os.path.join(_MIGRATIONS, name), encoding="utf-8") as file:
            scripts.append(file.read())
    return tuple(scripts)


def open_for_writing(path: str) -> sqlite3.Connection:
    """Open or create the journal at `path` (0600, its folder 0700) and bring it to the current version.

    Raises `JournalError` if the file cannot be created, is damaged, or was written by a newer version. Of a damaged
    file a copy is made; it is never overwritten.
    """
    with sqlite_errors(path):
        _create_private(path)
        _examine(path)
        connection = _connect(path, "rw")
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: str, busy_wait: float = BUSY_WAIT) -> sqlite3.Connection:
    """Open an existing journal for queries, which needs no lock. Raises `JournalError`.

    Where another program has locked it, each query waits for at most `busy_wait` seconds.
    """
    if not os.path.exists(path):
        raise JournalError(f"there is no journal at {path}", hint="name it with --journal, or give its source")
    with sqlite_errors(path):
        connection = _connect_to_read(path, busy_wait)
        try:
            _refuse_newer(connection, path, len(migrations()))
            _refuse_foreign(connection, path)
            if not _has_begun(connection):
                raise UnusedJournalError(f"the journal {path} is empty: no run has used it yet")
        except BaseException:
            connection.close()
            raise
        return connection


def journal_exists(path: str) -> bool:
    """Return whether there is a journal that a run has used. Raises `JournalError` for one that cannot be opened."""
    if not os.path.exists(path):
        return False
    with sqlite_errors(path), contextlib.closing(_connect_to_read(path)) as connection:
        _refuse_foreign(connection, path)
        return _has_begun(connection)


@contextlib.contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Turn errors of SQLite and the system about the journal into `JournalError`, with the cause chained.

    A ticket that cannot be read is damage as well.
    """
    try:
        yield
    except DamagedTicketError as error:
        raise error_mapping.damaged(path, "a ticket cannot be read") from error
    except sqlite3.DatabaseError as error:
        raise error_mapping.from_sqlite(error, path) from error
    except OSError as error:
        raise error_mapping.from_os_error(error, path) from error


@contextlib.contextmanager
def row_values(path: str) -> Iterator[None]:
    """Treat values in rows that cannot be what was written as damage."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        error.args = ()  # its text may contain a value
        raise error_mapping.damaged(path, "a row cannot be read") from error


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Run the scripts that the file lacks, each in a transaction with its version number."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(scripts[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _has_begun(connection: sqlite3.Connection) -> bool:
    """Return whether the file has its tables. A starting run creates the file before the tables."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0])


def has_places(connection: sqlite3.Connection) -> bool:
    """Return whether the file has the table of places, which version 1 lacks. Read-only access migrates no file."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] >= _PLACES_SINCE)


def has_groups(connection: sqlite3.Connection) -> bool:
    """Return whether the file has the table of groups, which versions before 5 lack."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] >= _GROUPS_SINCE)


def has_run_records(connection: sqlite3.Connection) -> bool:
    """Return whether the file has the table of what runs noted of themselves, which versions before 9 lack."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] >= _RUN_RECORDS_SINCE)


def _create_private(path: str) -> None:
    real = os.path.realpath(path)
    make_private_folder(os.path.dirname(real))
    os.close(open_own_file(real))
    check_side_files(real)
    make_side_files_private(real)  # left by an earlier run; new ones get the mode of the journal from SQLite


def _flush_names(path: str) -> None:
    """Flush the directory entries of a new journal and of the folders made for it, up to the mount point.

    SQLite does this only for files that it creates itself, and only for their own folder.
    """
    folder = os.path.dirname(os.path.realpath(path))
    device = os.stat(folder).st_dev
    while os.stat(folder).st_dev == device:
        try:
            with _opened(folder) as fd:
                os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_FLUSH:
                raise
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _connect_to_read(path: str, busy_wait: float = BUSY_WAIT) -> sqlite3.Connection:
    check_for_reading(path)
    connection = _connect(path, "ro", busy_wait)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in _NO_INDEX or _has_content(os.path.realpath(path) + "-wal"):
            raise
        # In a read-only folder SQLite cannot create the index that it needs to read a WAL journal. Without a log the
        # index would be empty.
        return _connect(path, "ro&immutable=1", busy_wait)
    return connection


def _has_content(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def _connect(path: str, mode: str, busy_wait: float = BUSY_WAIT) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode={mode}"  # a path need not be UTF-8
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_wait, cached_statements=512
    )


def _examine(path: str) -> None:
    """Look for damage before anything is written. Closing a connection that can write would empty the log."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise JournalError(f"this Python's SQLite is {sqlite3.sqlite_version}; the journal needs 3.33 or later")
    with contextlib.closing(_connect(path, "ro")) as connection:
        try:
            _refuse_newer(connection, path, len(migrations()))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NO_INDEX:
                raise
            return  # the very first transaction was cut off, and only a connection that can write rolls it back
        _refuse_foreign(connection, path)
        if not _has_begun(connection):
            return
        if os.path.getsize(path) <= _CHECKED_UP_TO or not _ended_cleanly(connection):
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise error_mapping.damaged(path, "the check of its pages fails")
        for remote_id, expires_at, text in connection.execute(_TICKETS):
            load(text, remote_id, expires_at)
        if has_groups(connection):
            for _ in groups(connection, with_tickets=True):
                pass  # reading one checks its texts


def _ended_cleanly(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT ended_at FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    return row is None or row[0] is not None


def close_unchanged(connection: sqlite3.Connection, path: str) -> None:
    """Close the connection to a damaged journal without moving the log into the file.

    The last connection moves it. So another one, which cannot write, is closed after this one.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(sqlite3.Error):
            other = stack.enter_context(contextlib.closing(_connect(path, "ro")))
            other.execute("PRAGMA user_version").fetchone()
        connection.close()


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    scripts = migrations()
    _refuse_newer(connection, path, len(scripts))
    _refuse_foreign(connection, path)
    if not _has_begun(connection):
        _flush_names(path)  # before anything is recorded: a file without a directory entry is lost, and its rows too
    # FULL, because a file is done only when its row is on disk. On macOS, fullfsync also flushes the drive's cache.
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise error_mapping.unsupported(path, "shared memory (mmap)")
    for pragma in ("synchronous = FULL", "fullfsync = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    migrate(connection, scripts)


def _refuse_newer(connection: sqlite3.Connection, path: str, known: int) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise NewerJournalError(
            f"the journal {path} is from a newer bulkup (version {version}; this one reads {known})",
            hint="upgrade bulkup, or name another file with --journal",
        )


def _refuse_foreign(connection: sqlite3.Connection, path: str) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == 0 and tables:
        raise JournalError(f"{path} is a database of another program", hint="name another file with --journal")
