"""A body that the system copies from an open file to the socket (`sendfile`): its bytes never come to this process.

Threads do it, because a file that is not in memory has to be waited for, and on a second descriptor of the socket, past
the loop's own buffer: what asyncio has for this holds the loop up, and uvloop has nothing. A thread stays for as long
as the socket takes bytes; one that is full is waited for by the loop.
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

_VISIT = 4 * 1024**2  # bytes that a thread sends before it tells of them
_AT_ONCE = 1024**2  # bytes between two looks at whether it is still to go on
_COPIED = 256 * 1024  # the same where the system does not copy by itself
# For so long a thread waits for a socket that is full: one to a store on this machine or beside it takes more by then.
_FULL = 1  # milliseconds


async def send_ranges(connection: Connection, body: SendfileBody) -> AsyncGenerator[int, None]:
    """Send all of a body, and yield how many bytes went: each time some did, and 0 once they were read.

    Raises what the body raises, and `ProblemError` where the file ends too early or cannot be read.
    """
    await connection.flush()
    with contextlib.closing(_duplicate(connection, body.size)) as target:
        async with contextlib.aclosing(body.ranges()) as ranges:
            async for one in ranges:
                begun = 0
                yield begun
                while begun < one.size:
                    sent = await _send(connection, target, one, begun)
                    begun += sent
                    yield sent


def _duplicate(connection: Connection, size: int) -> SendfileSocket:
    try:
        return SendfileSocket(connection.transport, size)
    except OSError as error:  # no descriptor is left
        raise ExchangeError(FailureKind.CONNECTION_LOST, error) from None


async def _send(connection: Connection, target: SendfileSocket, one: FileRange, begun: int) -> int:
    """Send more of a range, of which so many bytes have gone; returns how many went."""
    # The answer to all of a body may be here before the loop has heard from the thread that all of it has gone. So it
    # is not taken for an early one until then.
    stop, connection.cancel_body = connection.cancel_body, None
    try:
        sent = await asyncio.get_running_loop().run_in_executor(None, target.send, one, begun)
    except OSError as error:
        connection.break_with(error)
        sent = 0
    finally:
        connection.cancel_body = stop
    if connection.answered and target.left and stop is not None:
        stop()
    if target.full:
        await connection.wait_writable(target.fileno())
    return sent


class SendfileSocket:
    """A second descriptor of a connection's socket, for threads. What was written before must have gone.

    `left` are the bytes that are still to go, and `full` says that the last call ended because no more went for now.
    """

    def __init__(self, transport: asyncio.Transport, left: int) -> None:
        self.left = left
        self.full = False
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._socket.setblocking(False)
        self._kept = DeferredClose(self._socket.close)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLOUT)
        self._sendfile: Callable[[int, int, int, int], int] | None = getattr(os, "sendfile", None)
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor, as long as it is not closed."""
        return self._socket.fileno()

    def send(self, one: FileRange, begun: int) -> int:
        """Send more of a range, and return how many bytes went; for a thread. Raises OSError, and `ProblemError`."""
        at, end = one.start + begun, one.start + min(begun + _VISIT, one.size)
        self.full = False
        with self._kept.in_use(), one.file.held() as descriptor:
            while at < end and not self.full and not self._closed:
                try:
                    sent = self._send(one.file, descriptor, at, end - at)
                    at, self.left = at + sent, self.left - sent
                except BlockingIOError:
                    self.full = not self._poll.poll(_FULL)
        return at - one.start - begun

    def close(self) -> None:
        """Close the descriptor, and have a thread that uses it leave it before."""
        self._closed = True
        self._kept.close()

    def _send(self, file: SendfileSource, descriptor: int, start: int, count: int) -> int:
        if self._sendfile is not None:
            try:
                sent = self._sendfile(self._socket.fileno(), descriptor, start, min(count, _AT_ONCE))
            except (BlockingIOError, ConnectionError):
                raise
            except OSError:  # not from this file system, or not to this socket
                sent = 0
            if sent:
                return sent
            # Or the file ends here, or cannot be read: it is found out by reading it.
            self._sendfile = None
        return self._socket.send(file.read_at(start, min(count, _COPIED)))
