"""Reads the bodies of PUTs and forms, and stores them: pace, timeouts, checksums, faults and the answer's ETag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import anyio
from aiohttp import StreamReader, web
from anyio import to_thread

from bulkup.localserver.context import ServerContext
from bulkup.localserver.faults import Fault, FaultName, FaultPoint, ReadPace
from bulkup.localserver.s3.object_store import IncomingObject, ObjectStore
from bulkup.localserver.s3.put_rules import (
    check_md5,
    checked_sha256,
    declared_length,
    declared_md5,
    declared_sha256,
    incomplete_body,
    request_timeout,
)
from bulkup.localserver.s3.s3_errors import S3Error, request_expired, slow_down

# Moves a whole object to its place in the store.
Publish = Callable[[IncomingObject], None]

FULL_SPEED = ReadPace(1 << 20)
MAX_INLINE_WRITE = 64 << 10  # bytes; hashing and writing less costs less than a switch to a thread and back


class ConnectionCut(Exception):  # noqa: N818 - a fault that the user asked for
    """The server must drop the connection without an answer."""


class BodyReceiver:
    """Stores the bodies of authorized requests. Keeps at most one block of a body in memory.

    Methods raise S3Error for what S3 refuses, OSError when the disk fails, and ConnectionCut for the fault `cut-body`.
    Nothing is stored then, and an earlier object stays.
    """

    def __init__(self, context: ServerContext, objects: ObjectStore) -> None:
        self._context = context
        self._objects = objects
        self._wrong_etags: set[bytes] = set()

    async def store_put(self, request: web.Request, headers: Mapping[str, str], publish: Publish) -> tuple[int, str]:
        """Store the body of a PUT. Return its size in bytes and the ETag for the answer, unquoted."""
        length, md5, sha256 = declared_length(headers), declared_md5(headers), declared_sha256(headers)
        fault = self.draw_fault(lambda now: request_expired(now, now))
        await send_continue(request)
        body = self.read(request.content, length, await self.pace(request.content, fault))
        if sha256 is not None:
            body = checked_sha256(body, sha256)
        return await self.store(body, publish, fault, md5)

    def draw_fault(self, expired: Callable[[float], S3Error]) -> Fault | None:
        """Return the fault to apply while the body is read. Raises S3Error for faults that refuse the request.

        `expired` makes the refusal of an expired URL or policy.
        """
        now = self._context.clock.now()
        fault = self._context.draw_fault(FaultPoint.PUT, now)
        match fault and fault.name:
            case FaultName.EXPIRED_URL:
                raise expired(now)
            case FaultName.STATUS_503:
                raise slow_down()
        return fault

    async def pace(self, content: StreamReader, fault: Fault | None) -> ReadPace:
        """Return the pace for reading a body. With `cut-body` reads a part of it and raises ConnectionCut."""
        if fault and fault.name is FaultName.CUT_BODY:
            await content.readany()
            raise ConnectionCut
        slow = fault is not None and fault.name is FaultName.SLOW_BODY
        return self._context.faults.options.slow_pace if slow else FULL_SPEED

    def read(self, content: StreamReader, length: int, pace: ReadPace = FULL_SPEED) -> AsyncIterator[bytes]:
        """Yield exactly `length` bytes of a body. Raises S3Error IncompleteBody or RequestTimeout."""
        return _blocks(content, length, pace, self._context.limits.idle_timeout)

    async def store(
        self, body: AsyncIterator[bytes], publish: Publish, fault: Fault | None, md5: bytes | None = None
    ) -> tuple[int, str]:
        """Store the bytes of a body. Return their number and the ETag for the answer, unquoted."""
        incoming = self._objects.receive()
        try:
            size = await _write_all(body, incoming)
            check_md5(md5, incoming.md5.digest())
            publish(incoming)
        finally:
            incoming.discard()
        return size, self._etag(incoming, fault)

    def _etag(self, incoming: IncomingObject, fault: Fault | None) -> str:
        true = incoming.md5
        if fault is None or fault.name is not FaultName.WRONG_ETAG:
            return true.hexdigest()
        # With a share below 1, the same bytes get a wrong ETag only once, so a second attempt succeeds.
        if not fault.always and true.digest() in self._wrong_etags:
            return true.hexdigest()
        self._wrong_etags.add(true.digest())
        self._context.fault_counters.add(**{fault.name: 1})
        return bytes(byte ^ 0xFF for byte in true.digest()).hex()


async def send_continue(request: web.Request) -> None:
    """Answer `Expect: 100-continue` once everything before the body has been accepted (RFC 9110)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # These bytes are not part of the answer, which has not begun.
        request.writer.output_size = 0


async def _write_all(body: AsyncIterator[bytes], incoming: IncomingObject) -> int:
    size = 0
    async for block in body:
        size += len(block)
        if len(block) <= MAX_INLINE_WRITE:
            incoming.write(block)
        else:
            await to_thread.run_sync(incoming.write, block)
    return size


async def _blocks(content: StreamReader, length: int, pace: ReadPace, idle_timeout: float) -> AsyncIterator[bytes]:
    while length:
        try:
            block = await _read_exactly(content, min(length, pace.block), idle_timeout)
        except TimeoutError:
            raise request_timeout() from None
        except (asyncio.IncompleteReadError, ConnectionError, web.RequestPayloadError):
            raise incomplete_body() from None
        length -= len(block)
        yield block
        if pace.pause:
            await anyio.sleep(pace.pause)


async def _read_exactly(content: StreamReader, count: int, idle_timeout: float) -> bytes:
    """Return `count` bytes. Raises IncompleteReadError, and TimeoutError if no byte arrives within the timeout."""
    parts: list[bytes] = []
    while count:
        async with asyncio.timeout(idle_timeout):
            part = await content.read(count)
        if not part:
            raise asyncio.IncompleteReadError(b"", count)
        count -= len(part)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
