"""A connection: what goes out, what comes in, and who waits for it. One exchange at a time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, cast

import anyio.lowlevel

from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.answer_reader import AnswerReader
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.lean.tls_stream import Tls

if TYPE_CHECKING:
    from bulkup.transport.lean.connection_pool import ConnectionPool, IdleConnections

Waiter = asyncio.Future[StorageAnswer]
_NEVER = float("inf")
# What may stand in the buffer of a connection before a body has to wait, and how far it then has to empty.
_HIGH, _LOW = 256 * 1024, 64 * 1024
_RESCUES, _RESCUED = 16, 64 * 1024  # so many times so many bytes


class Connection(asyncio.Protocol):
    """A connection of a pool. `deadline` is when it is given up, in monotonic seconds: the pool looks now and then.

    `shelf` is where it is put while nobody uses it. `sending` says that a body is on its way: an answer that comes
    before its end is the last one here, and `stop` is called. `exchanges` counts those begun.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: ConnectionPool, shelf: IdleConnections) -> None:
        self._loop = loop
        self._pool = pool
        self._shelf = shelf
        self.transport: asyncio.Transport
        self.tls: Tls | None = None
        self.reader = AnswerReader()
        self.deadline = _NEVER
        self.sending = False
        self.stop: Callable[[], None] | None = None
        self.exchanges = 0
        self._waiter: Waiter | None = None
        self._news: asyncio.Future[None] | None = None
        self._paused = False
        self._opening_tunnel = False
        self._error: BaseException | None = None

    # An exchange.

    def send(self, data: bytes, deadline: float) -> Waiter:
        """Write a request, or its beginning, and return what its answer will be set to."""
        if self.tls is not None:
            data = self.tls.encrypt(data)
        self.reader.expect()
        self.deadline = deadline
        self.exchanges += 1
        waiter = self._waiter = self._loop.create_future()
        self.transport.write(data)
        return waiter

    def write(self, data: bytes | memoryview) -> None:
        """Write more of the request."""
        self.transport.write(data if self.tls is None else self.tls.encrypt(data))

    @property
    def answered(self) -> bool:
        """Whether the head of an answer is there, or the exchange has failed: no more of a body is wanted."""
        return self._waiter is None or self.reader.headed

    async def room(self) -> None:
        """Wait until there is room for more. Where it broke it is `stop` that ends the waiting."""
        while self._paused or self.transport.is_closing():
            await self._any_news()

    async def drained(self) -> None:
        """Wait until the loop has handed over all that was written."""
        self.transport.set_write_buffer_limits(0)
        await self.room()
        await self.wanted()
        self.transport.set_write_buffer_limits(_HIGH, _LOW)

    async def wanted(self) -> None:
        """Return at once where more of a body is wanted; else let whoever sends it hear that `stop` was called.

        That is not heard by one who wakes up for another reason in the same instant, and uvloop takes it for a mistake
        when anything is asked of a closed transport.
        """
        if self.answered:
            await anyio.lowlevel.checkpoint()

    async def takes_more(self, descriptor: int) -> None:
        """Wait until its socket, by another descriptor than the loop's own, takes more. It may also not yet be so."""
        self._loop.add_writer(descriptor, self._tell)
        try:
            await self._any_news()
        finally:
            self._loop.remove_writer(descriptor)

    def broke(self, error: OSError) -> None:
        """Take note that it broke, found out by another way than the loop's."""
        self._rescue()
        self._ended(error)

    async def permission(self, seconds: float) -> bool:
        """Wait for a 100 or an answer, so many seconds at the most; returns whether one of them came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.answered and not self.reader.permitted:
                    await self._any_news()
        return self.answered or self.reader.permitted

    def abandon(self, waiter: Waiter) -> None:
        """Break off an exchange, unless it has ended: then the connection may be another's already."""
        if self._waiter is waiter:
            self._waiter = None
            self.abort()
        if not waiter.cancel() and not waiter.cancelled():
            waiter.exception()  # looked at, so that nobody complains that nobody did

    # Its beginning and its end.

    async def secure(self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None) -> None:
        """Put TLS around all that goes over it from now on. Raises OSError, of which ssl.SSLError is one."""
        self.tls = Tls(context, host, session, below=self.tls)
        self.transport.write(self.tls.begin())
        while not self.tls.established:
            if self.transport.is_closing():
                raise self._error or OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            await self._any_news()

    async def tunnel(self, request: bytes) -> int:
        """Send a proxy the request for a tunnel and return its status. Raises `ExchangeError`."""
        self._opening_tunnel = True
        waiter = self.send(request, _NEVER)
        try:
            while not self.answered:
                await self._any_news()
        except BaseException:
            self.abandon(waiter)
            raise
        finally:
            self._opening_tunnel = False
        if waiter.done():
            return (await waiter).status
        # Only the head counts: a success has no body, whatever its length says (RFC 9110 9.3.6).
        self._waiter, status = None, self.reader.status
        self.reader, self.exchanges = AnswerReader(), 0
        return status

    def expire(self) -> None:
        """Give it up: nothing has happened for too long."""
        if self._waiter is None:
            self.close()
        else:
            self._fail(ExchangeError(FailureKind.SILENT))

    def close(self) -> None:
        """End it in order, while nothing is under way."""
        if self.tls is not None and self.tls.established and not self.transport.is_closing():
            self.transport.write(self.tls.close())
        self.abort()

    def abort(self) -> None:
        """End it at once; what was not yet sent is dropped."""
        self.deadline = _NEVER
        self._shelf.remove(self)
        self.transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_HIGH, _LOW)
        self._pool.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        tls = self.tls
        if tls is None:
            self._received(data)
            return
        if data := self._decrypted(tls, data):
            self._received(data)
        if tls.ended:
            self._ended(None)

    def eof_received(self) -> None:
        """Take note that nothing more will come."""
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End; what had arrived before is still there to be read."""
        self._error = self._error or error
        if error is not None:
            self._rescue()
        self._ended(error)
        self._pool.forget(self)
        self._tell()

    def pause_writing(self) -> None:
        """Note that the buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Note that it has emptied."""
        self._paused = False
        self._tell()

    # What follows from that.

    def _decrypted(self, tls: Tls, data: bytes) -> bytes:
        try:
            data = tls.decrypt(data)
        except ssl.SSLError as error:
            self._error = error
            self._ended(error)
            data = b""
        if answer := tls.to_send():
            self.transport.write(answer)
        self._tell()
        return data

    def _received(self, data: bytes) -> None:
        waiter, reader = self._waiter, self.reader
        if waiter is None:
            self.abort()  # nobody has asked
            return
        first = not reader.begun
        try:
            done = reader.feed(data)
        except ExchangeError as error:
            self._fail(error)
            return
        if done and not self._opening_tunnel:
            self._finish(waiter)
            return
        if first:
            # An answer that has begun has as long again to end.
            self.deadline = max(self.deadline, monotonic() + self._pool.idle_timeout)
        self._tell()

    def _finish(self, waiter: Waiter) -> None:
        self._waiter = None
        reader = self.reader
        answer = reader.answer()
        if self.exchanges == 1 and self.tls is not None:
            self._shelf.session = self.tls.session
        usable = reader.reusable and not self.sending and not waiter.cancelled()
        if usable and not self.transport.get_write_buffer_size():
            self._shelf.put(self, answer)
        else:
            self.abort()
        if not waiter.done():
            waiter.set_result(answer)
        if self.sending:
            self._tell()

    def _ended(self, error: BaseException | None) -> None:
        waiter = self._waiter
        if waiter is None:
            self.abort()
        elif self.reader.ends_here():
            self._finish(waiter)
        else:
            stale = self.exchanges > 1 and not self.reader.begun
            self._fail(ExchangeError(FailureKind.BROKEN, error, stale=stale))

    def _fail(self, error: ExchangeError) -> None:
        waiter, self._waiter = self._waiter, None
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self._tell()

    def _rescue(self) -> None:
        """Read what came before the connection broke: a server that refuses a body may answer and hang up at once."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            for _ in range(_RESCUES):
                data = os.read(descriptor, _RESCUED) if self._waiter is not None else b""
                if not data:
                    break
                self.data_received(data)

    async def _any_news(self) -> None:
        self._news = self._loop.create_future()
        await self._news

    def _tell(self) -> None:
        if self.stop is not None and self.answered:
            self.stop()
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
