"""Sends a body by `sendfile`: the system copies an open file to the socket, and the bytes never enter this process.

Threads make the calls, because reading a file may block on the disk. They use a duplicate of the socket's descriptor,
beside the transport of the event loop. asyncio's own `sendfile` blocks the loop while the disk is read, and uvloop has
none. A thread works while the socket accepts bytes; the event loop waits for a socket that is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import AsyncGenerator, Callable

from bulkup.helpers.descriptors import DeferredClose
from bulkup.model.bodies import FileRange, SendfileBody, SendfileSource
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.connection import Connection
from bulkup.transport.lean.exchange_error import ExchangeError

_CALL_SIZE = 1024**2  # bytes of one system call; in between, the thread checks whether the socket was closed
_COPY_SIZE = 256 * 1024  # bytes of one read and write, where sendfile is not available
# How long a thread waits for a full socket. A store on this machine or in the local network accepts more within that.
_FULL_TIMEOUT = 1  # milliseconds


async def send_ranges(connection: Connection, body: SendfileBody, step: int) -> AsyncGenerator[int, None]:
    """Send the whole body, at most `step` bytes in each visit to a thread.

    Yield the number of bytes after each visit, and 0 when the next range of the file is ready. Raises the body's own
    errors, and `ProblemError` if the file is too short or cannot be read.
    """
    await connection.flush()
    with contextlib.closing(_duplicate(connection, body.size)) as target:
        async with contextlib.aclosing(body.ranges()) as ranges:
            async for file_range in ranges:
                done = 0
                yield done
                while done < file_range.size:
                    sent = await _send(connection, target, file_range, done, step)
                    done += sent
                    yield sent


def _duplicate(connection: Connection, size: int) -> SendfileSocket:
    try:
        return SendfileSocket(connection.transport, size)
    except OSError as error:  # out of file descriptors
        raise ExchangeError(FailureKind.CONNECTION_LOST, error) from None


async def _send(connection: Connection, target: SendfileSocket, file_range: FileRange, done: int, step: int) -> int:
    """Send up to `step` bytes of a range after the first `done`, and return how many were sent."""
    # The answer may arrive before the event loop learns that the thread has sent the last byte. So an answer cancels
    # the body only after the thread has reported.
    cancel, connection.cancel_body = connection.cancel_body, None
    try:
        sent = await asyncio.get_running_loop().run_in_executor(None, target.send, file_range, done, step)
    except OSError as error:
        connection.break_with(error)
        sent = 0
    finally:
        connection.cancel_body = cancel
    if connection.answered and target.remaining and cancel is not None:
        cancel()
    if target.full:
        await connection.wait_writable(target.fileno())
    return sent


class SendfileSocket:
    """A duplicate of a connection's socket, for use in threads. The connection's write buffer must be empty.

    `remaining` is the number of bytes still to send. `full` means that the last call stopped because the socket
    accepted no more bytes.
    """

    def __init__(self, transport: asyncio.Transport, size: int) -> None:
        self.remaining = size
        self.full = False
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._socket.setblocking(False)
        self._deferred_close = DeferredClose(self._socket.close)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLOUT)
        self._sendfile: Callable[[int, int, int, int], int] | None = getattr(os, "sendfile", None)
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor of the open socket."""
        return self._socket.fileno()

    def send(self, file_range: FileRange, done: int, step: int) -> int:
        """Send up to `step` bytes of a range after the first `done`, and return how many were sent.

        Call it in a thread. Raises OSError for the socket, and `ProblemError` for the file.
        """
        at, end = file_range.start + done, file_range.start + min(done + step, file_range.size)
        self.full = False
        with self._deferred_close.in_use(), file_range.file.held() as descriptor:
            while at < end and not self.full and not self._closed:
                try:
                    sent = self._send_some(file_range.file, descriptor, at, end - at)
                    at, self.remaining = at + sent, self.remaining - sent
                except BlockingIOError:
                    self.full = not self._poll.poll(_FULL_TIMEOUT)
        return at - file_range.start - done

    def close(self) -> None:
        """Stop a thread that uses the socket, and close it after that."""
        self._closed = True
        self._deferred_close.close()

    def _send_some(self, file: SendfileSource, descriptor: int, start: int, count: int) -> int:
        if self._sendfile is not None:
            try:
                sent = self._sendfile(self._socket.fileno(), descriptor, start, min(count, _CALL_SIZE))
            except (BlockingIOError, ConnectionError):
                raise
            except OSError:  # not supported for this file system or this socket
                sent = 0
            if sent:
                return sent
            # Or the file ends here, or cannot be read. Reading it reports which.
            self._sendfile = None
        return self._socket.send(file.read_at(start, min(count, _COPY_SIZE)))
