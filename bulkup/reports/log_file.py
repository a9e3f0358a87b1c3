"""The log file: rotated by size, readable by its owner only, written by a thread of its own.

The thread keeps a slow disk from stopping the event loop. A disk that fails costs lines, never the run.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from typing import Any

from bulkup.helpers.private_files import open_private

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o600
_WAITING = 10_000  # lines; more are lost, so that a disk that hangs does not fill the memory

Failed = Callable[[str], None]  # with the reason


class LogFile:
    """Takes log lines, which a thread of its own writes through a handler of the standard library.

    `make_handler` receives the function that the handler calls with the reason of each error. The first reason why
    lines are lost is passed to `failed`, possibly in another thread.
    """

    def __init__(
        self, make_handler: Callable[[Failed], logging.Handler], failed: Failed, *, waiting: int = _WAITING
    ) -> None:
        self._failed: Failed | None = failed
        self._handler = make_handler(self._note_failure)
        self._lines: queue.Queue[str | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._work, name="bulkup-log-file", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take a line, in any thread. It never waits for the disk."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._note_failure("the disk does not answer")

    def close(self, timeout: float = 5.0) -> None:
        """Write the lines that are left. A disk that does not answer within `timeout` seconds loses them."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=timeout)
            self._thread.join(timeout)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self._handler.emit(logging.makeLogRecord({"msg": line}))
        self._handler.close()

    def _note_failure(self, reason: str) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(reason)


def open_log_file(path: str, *, size: int, count: int, failed: Failed) -> LogFile:
    """Return a log file. Once it has `size` bytes it is renamed, and a new one begins; `count` older ones are kept.

    With a size of 0 it grows without limit. `failed` is called once, with the reason why lines are lost. Raises OSError
    if the file cannot be opened.
    """
    return LogFile(functools.partial(_PrivateFileHandler, path, size, count), failed)


class _PrivateFileHandler(RotatingFileHandler):
    """The standard library's handler, for a file that only its owner may read. `failed` is called with each error.

    The file has no buffer: an error would leave a part of it behind, and its lock could keep Python from exiting.
    """

    def __init__(self, path: str, size: int, count: int, failed: Failed) -> None:
        self._failed = failed
        self._torn = False  # the last line is not complete
        super().__init__(path, maxBytes=size, backupCount=count)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, after a rotation if it is time for one."""
        try:
            if self.shouldRollover(record):
                self.doRollover()
            self._write_all(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except OSError:
            self.handleError(record)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  # the base's name
        """Return whether the line does not fit into the file. One that was moved away is left first."""
        stream: Any = self.stream
        if stream is not None and not self._has_the_path(stream):
            stream.close()
            stream = None
        if stream is None:
            self.stream = stream = self._open()
        size = os.fstat(stream.fileno()).st_size
        return 0 < self.maxBytes < size + len(record.msg) and size > 0

    def doRollover(self) -> None:  # noqa: N802  # the same
        """Begin a new file. Where that is impossible the present one is used further."""
        try:
            super().doRollover()
        except OSError:
            self.handleError(logging.makeLogRecord({}))
            stream: Any = self.stream
            self.stream = stream or self._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # the same
        """Pass the error on that is being handled."""
        error = sys.exc_info()[1]
        self._failed(getattr(error, "strerror", None) or str(error))

    def _has_the_path(self, stream: Any) -> bool:
        """Return whether an open file still has the path of the log. Another program may have rotated it."""
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(stream.fileno()))
        except FileNotFoundError:
            return False

    def _write_all(self, line: bytes) -> None:
        stream: Any = self.stream
        data, written = b"\n" * self._torn + line, 0
        try:
            while written < len(data):
                written += stream.write(data[written:])
        finally:
            self._torn = 0 < written < len(data) or (self._torn and not written)

    def _open(self) -> Any:
        descriptor = open_private(self.baseFilename, _FLAGS)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            if stat.S_IMODE(found.st_mode) != _MODE:
                with contextlib.suppress(PermissionError):  # it belongs to another user, who lets this one write
                    os.fchmod(descriptor, _MODE)
        except BaseException:
            os.close(descriptor)
            raise
        self._torn = False
        return open(descriptor, "ab", buffering=0)
