"""One HTTP/1.1 connection: its socket, its optional TLS layer, and at most one exchange at a time.

Theory of operation
===================

An exchange is one request and its answer. The event loop calls the connection when bytes arrive or the socket closes;
tasks of the sender write requests and await a future that the answer resolves. A connection is in one of four states.
There is no attribute for the state, because other values determine it:

    state     answer future   idle list   transport   meaning
    SETUP     None            no          open        TLS handshake, or between the steps of the setup
    EXCHANGE  set             no          open        a request is being sent, or its answer is awaited
    IDLE      None            yes         open        ready for the next request
    CLOSED    None            no          closing     `abort` was called, or the socket is closed

The request for a proxy's tunnel is an exchange as well, within the setup.

Transitions:

    from      event                                                      to        the exchange ends with
    SETUP     `send`                                                     EXCHANGE
    IDLE      `IdleConnections.take`, then `send`                        EXCHANGE
    EXCHANGE  answer complete, and the connection can be reused          IDLE      the answer
    EXCHANGE  answer complete, otherwise                                 CLOSED    the answer
    EXCHANGE  end of stream that also ends the answer's body             CLOSED    the answer
    EXCHANGE  end of stream, reset or TLS error, otherwise               CLOSED    ExchangeError CONNECTION_LOST
    EXCHANGE  bytes that are not a valid answer                          CLOSED    ExchangeError NOT_HTTP
    EXCHANGE  `deadline` passed: the pool calls `expire`                 CLOSED    ExchangeError NO_PROGRESS
    EXCHANGE  `cancel_exchange`                                          CLOSED    cancellation
    EXCHANGE  head of a proxy's answer, in `open_tunnel`                 SETUP     the status
    SETUP     end of stream, application data, `abort`                   CLOSED
    IDLE      end of stream, data, or `deadline` passed                  CLOSED

A connection can be reused when the answer allows it (see `AnswerReader.reusable`), all of the request had left this
machine when the head of the answer arrived, and the task that sent it still waits for the answer.

A body that is not in memory is sent in pieces by one task. While `sending_body` is true, the head of an answer makes
the rest of the body pointless: `cancel_body` is called, the answer is read to its end, and the connection is closed.

Invariants:

- An answer future is resolved exactly once, at the latest in `connection_lost`. `_answer_future` is None from then on.
- A connection in the idle list has no answer future, and nothing in its write buffer.
- `take` and `send` run without an await between them, so no other task sees the connection outside both states.
- `ExchangeError.stale` is set only if the connection had carried an earlier exchange and no byte of the answer
  arrived. Only then does the sender repeat a request that got no answer.
- Bytes that arrived before a connection broke are read first: a server may refuse a body and close at once.
- `owner` holds the connection from `connection_made` to `connection_lost`, and no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Protocol, cast

import anyio.lowlevel

from bulkup.helpers.send_queue import unacknowledged_bytes
from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.answer_reader import AnswerReader
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.tls_stream import TlsStream

AnswerFuture = asyncio.Future[StorageAnswer]
_NEVER = float("inf")
# Bytes in a connection's write buffer at which a body pauses, and at which it resumes.
_HIGH_WATER, _LOW_WATER = 256 * 1024, 64 * 1024
# Limits on reading from a broken socket: the number of reads, and the bytes of each.
_LAST_READS, _LAST_READ_SIZE = 16, 64 * 1024


class ConnectionOwner(Protocol):
    """Holds the open connections and calls `Connection.expire` on those whose deadline has passed."""

    @property
    def idle_timeout(self) -> float:
        """The seconds without progress after which an exchange fails."""
        ...

    def add(self, connection: Connection) -> None:
        """Hold a connection that was opened."""
        ...

    def discard(self, connection: Connection) -> None:
        """Release a connection whose socket is closed."""
        ...


class IdleList(Protocol):
    """The idle connections of one origin, with the TLS session that its next connection can resume."""

    session: ssl.SSLSession | None

    def put(self, connection: Connection, answer: StorageAnswer) -> None:
        """Add a connection whose last answer was `answer`."""
        ...

    def remove(self, connection: Connection) -> None:
        """Remove a connection, if it is in the list."""
        ...


class Connection(asyncio.Protocol):
    """A connection of the lean sender; the module's docstring describes its states.

    `deadline` and `idle_since` are in monotonic seconds. `sending_body` is true while a task still sends the request's
    body, and `cancel_body` stops that task. `exchanges` counts the exchanges begun.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: ConnectionOwner, idle: IdleList) -> None:
        self._loop = loop
        self._owner = owner
        self._idle = idle
        self.transport: asyncio.Transport
        self.tls: TlsStream | None = None
        self.reader = AnswerReader()
        self.deadline = _NEVER
        self.idle_since = 0.0
        self.sending_body = False
        self.cancel_body: Callable[[], None] | None = None
        self.exchanges = 0
        self._answer_future: AnswerFuture | None = None
        self._wakeup: asyncio.Future[None] | None = None
        self._paused = False
        self._opening_tunnel = False
        self._early = False
        self._descriptor: int
        self._error: BaseException | None = None

    # Exchanges.

    def send(self, head: bytes, deadline: float, body: bytes | bytearray = b"") -> AnswerFuture:
        """Write a request, or its beginning, and return the future of its answer.

        Head and body go to the socket in one call, and into one record of TLS.
        """
        tls = self.tls
        self.reader.reset()
        self.deadline = deadline
        self.exchanges += 1
        future = self._answer_future = self._loop.create_future()
        if tls is not None:
            self.transport.write(tls.encrypt(head + body))
        elif body:
            self.transport.writelines((head, body))
        else:
            self.transport.write(head)
        return future

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write more of the request."""
        self.transport.write(data if self.tls is None else self.tls.encrypt(data))

    @property
    def is_idle(self) -> bool:
        """Whether the connection waits for its next exchange; a new one does not."""
        return self._answer_future is None and self.exchanges > 0 and not self.transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether the head of the answer has arrived or the exchange is over; the rest of a body is then pointless."""
        return self._answer_future is None or self.reader.head_complete

    async def drain(self) -> None:
        """Wait until the write buffer has room. On a broken connection, only `cancel_body` ends the wait."""
        while self._paused or self.transport.is_closing():
            await self._wait()

    async def flush(self) -> None:
        """Wait until the event loop has written all of the buffer to the socket."""
        self.transport.set_write_buffer_limits(0)
        await self.drain()
        await self.checkpoint_if_answered()
        self.transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)

    async def checkpoint_if_answered(self) -> None:
        """Let the cancellation by `cancel_body` take effect before more of the body is written.

        Without it, a task that wakes up in the same instant for another reason would write to a closed transport, which
        uvloop reports as an error.
        """
        if self.answered:
            await anyio.lowlevel.checkpoint()

    async def wait_writable(self, descriptor: int) -> None:
        """Wait until the socket may take more bytes. `descriptor` is a duplicate of the one that the loop uses."""
        self._loop.add_writer(descriptor, self._wake)
        try:
            await self._wait()
        finally:
            self._loop.remove_writer(descriptor)

    def break_with(self, error: OSError) -> None:
        """Handle an error of the socket that the event loop has not seen."""
        self._read_rest()
        self._end_of_stream(error)

    async def wait_for_continue(self, seconds: float) -> bool:
        """Wait up to `seconds` for a 100 (Continue) or an answer. Return whether either arrived."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.answered and not self.reader.continue_received:
                    await self._wait()
        return self.answered or self.reader.continue_received

    def cancel_exchange(self, future: AnswerFuture) -> None:
        """Cancel the exchange of `future`, unless it is over: another task may use the connection by then."""
        if self._answer_future is future:
            self._answer_future = None
            self.abort()
        if not future.cancel() and not future.cancelled():
            future.exception()  # mark it as retrieved, or asyncio logs that it never was

    # Setup and close.

    async def start_tls(self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None) -> None:
        """Encrypt everything from now on. Raises OSError, of which ssl.SSLError is a subclass."""
        self.tls = TlsStream(context, host, session, below=self.tls)
        self.transport.write(self.tls.start_handshake())
        while not self.tls.established:
            if self.transport.is_closing():
                raise self._error or OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            await self._wait()

    async def open_tunnel(self, request: bytes) -> int:
        """Send a CONNECT request to a proxy and return the status of its answer. Raises `ExchangeError`."""
        self._opening_tunnel = True
        future = self.send(request, _NEVER)
        try:
            while not self.answered:
                await self._wait()
        except BaseException:
            self.cancel_exchange(future)
            raise
        finally:
            self._opening_tunnel = False
        if future.done():
            return (await future).status
        # Only the head counts: a successful answer has no body, despite its headers (RFC 9110 9.3.6).
        self._answer_future, status = None, self.reader.status
        self.reader, self.exchanges = AnswerReader(), 0
        return status

    def expire(self) -> None:
        """Close the connection because its deadline has passed."""
        if self._answer_future is None:
            self.close()
        else:
            self._fail(ExchangeError(FailureKind.NO_PROGRESS))

    def close(self) -> None:
        """Close a connection that is not in an exchange; over TLS, with a close_notify."""
        if self.tls is not None and self.tls.established and not self.transport.is_closing():
            self.transport.write(self.tls.close())
        self.abort()

    def abort(self) -> None:
        """Close the socket at once and drop unwritten bytes."""
        self.deadline = _NEVER
        self._idle.remove(self)
        self.transport.abort()

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up buffer limits and report to the owner."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)
        self._descriptor = self.transport.get_extra_info("socket").fileno()
        self._owner.add(self)

    def data_received(self, data: bytes) -> None:
        """Decrypt and parse data."""
        tls = self.tls
        if tls is None:
            self._parse(data)
            return
        if data := self._decrypt(tls, data):
            self._parse(data)
        if tls.ended:
            self._end_of_stream(None)

    def eof_received(self) -> None:
        """Handle the end of the stream."""
        self._end_of_stream(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Handle a closed socket. Bytes that arrived before an error are still read."""
        self._error = self._error or error
        if error is not None:
            self._read_rest()
        self._end_of_stream(error)
        self._owner.discard(self)
        self._wake()

    def pause_writing(self) -> None:
        """Note that the write buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Note that the write buffer has room again."""
        self._paused = False
        self._wake()

    # Helpers of the callbacks.

    def _decrypt(self, tls: TlsStream, data: bytes) -> bytes:
        try:
            data = tls.decrypt(data)
        except ssl.SSLError as error:
            self._error = error
            self._end_of_stream(error)
            data = b""
        if reply := tls.pending_output():
            self.transport.write(reply)
        self._wake()
        return data

    def _parse(self, data: bytes) -> None:
        future, reader = self._answer_future, self.reader
        if future is None:
            self.abort()  # the server sent data without a request
            return
        first, head_awaited = not reader.started, not reader.head_complete
        try:
            complete = reader.feed(data)
        except ExchangeError as error:
            self._fail(error)
            return
        if head_awaited and reader.head_complete:
            # Measured at once: what is in the queues may still leave while the rest of the answer arrives.
            self._early = bool(self.transport.get_write_buffer_size() or unacknowledged_bytes(self._descriptor))
        if complete and not self._opening_tunnel:
            self._finish(future)
            return
        if first:
            # An answer that has started gets the idle timeout once more to complete.
            self.deadline = max(self.deadline, monotonic() + self._owner.idle_timeout)
        self._wake()

    def _finish(self, future: AnswerFuture) -> None:
        self._answer_future = None
        reader = self.reader
        answer = reader.answer(early=self._early)
        if self.exchanges == 1 and self.tls is not None:
            self._idle.session = self.tls.session
        reusable = reader.reusable and not self.sending_body and not future.cancelled()
        if reusable and not self._early:
            self._idle.put(self, answer)
        else:
            self.abort()
        if not future.done():
            future.set_result(answer)
        if self.sending_body:
            self._wake()

    def _end_of_stream(self, error: BaseException | None) -> None:
        future = self._answer_future
        if future is None:
            self.abort()
        elif self.reader.complete_at_eof():
            self._finish(future)
        else:
            stale = self.exchanges > 1 and not self.reader.started
            self._fail(ExchangeError(FailureKind.CONNECTION_LOST, error, stale=stale))

    def _fail(self, error: ExchangeError) -> None:
        future, self._answer_future = self._answer_future, None
        self.abort()
        if future is not None and not future.done():
            future.set_exception(error)
        self._wake()

    def _read_rest(self) -> None:
        """Read the bytes that the system received before the connection broke; asyncio would drop them."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            for _ in range(_LAST_READS):
                data = os.read(descriptor, _LAST_READ_SIZE) if self._answer_future is not None else b""
                if not data:
                    break
                self.data_received(data)

    async def _wait(self) -> None:
        """Wait for the next call of `_wake`."""
        self._wakeup = self._loop.create_future()
        await self._wakeup

    def _wake(self) -> None:
        """Cancel a body that is no longer wanted, and resume the task in `_wait`."""
        if self.cancel_body is not None and self.answered:
            self.cancel_body()
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
