"""Taking in bodies: at what pace, how far, and what is said about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import anyio
from aiohttp import StreamReader, web
from anyio import to_thread

from bulkup.localserver.context import ServerContext
from bulkup.localserver.faults import Fault, FaultName, FaultPoint
from bulkup.localserver.s3.object_store import IncomingObject, ObjectStore
from bulkup.localserver.s3.put_rules import check_md5, declared_length, declared_md5, incomplete_body, request_timeout
from bulkup.localserver.s3.s3_errors import S3Error, request_expired, slow_down

# Puts a whole object where it belongs.
Publish = Callable[[IncomingObject], None]

PATIENCE = 120.0  # seconds that a client may send, or take, nothing

MAX_INLINE_WRITE = 64 << 10  # bytes up to which hashing and writing costs less than the way to a thread and back


class ConnectionCut(Exception):  # noqa: N818 - nothing went wrong: it was asked for
    """The connection is to be dropped without an answer."""


@dataclass(frozen=True, slots=True)
class ReadPace:
    """How a body is read: so many bytes at once, and a pause in seconds after each."""

    block: int
    pause: float = 0.0


FULL_SPEED = ReadPace(1 << 20)
SLOW_PACE = ReadPace(16 << 10, 0.25)  # 64 KiB/s


class BodyReceiver:
    """Stores bodies that are authorised. Keeps no more than one block of a body in memory.

    Methods raise S3Error for what S3 refuses, OSError when the disk fails, ConnectionCut when a fault says so. Then
    nothing is stored, and what was there before stays.
    """

    def __init__(self, context: ServerContext, objects: ObjectStore) -> None:
        self._context = context
        self._objects = objects
        self._lied_about: set[bytes] = set()

    async def store(self, request: web.Request, headers: Mapping[str, str], place: Publish) -> tuple[int, str]:
        """Store the body of a PUT; return its size in bytes and the ETag to answer, unquoted."""
        length, md5 = declared_length(headers), declared_md5(headers)
        fault = self.draw_fault(lambda now: request_expired(now, now))
        await send_continue(request)
        body = read_blocks(request.content, length, await start_body(request.content, fault))
        return await self.keep(body, place, fault, md5)

    def draw_fault(self, expired: Callable[[float], S3Error]) -> Fault | None:
        """Return the fault to apply while the body is read. Raises S3Error for faults that refuse the request.

        `expired` makes the refusal of an expired URL or policy.
        """
        now = self._context.clock.now()
        fault = self._context.draw(FaultPoint.PUT, now)
        match fault and fault.name:
            case FaultName.EXPIRED_URL:
                raise expired(now)
            case FaultName.STATUS_503:
                raise slow_down()
        return fault

    async def keep(
        self, body: AsyncIterator[bytes], place: Publish, fault: Fault | None, md5: bytes | None = None
    ) -> tuple[int, str]:
        """Store what the body yields; return its size in bytes and the ETag to answer, unquoted."""
        incoming = self._objects.receive()
        try:
            size = await _take(body, incoming)
            check_md5(md5, incoming.md5.digest())
            place(incoming)
        finally:
            incoming.discard()
        return size, self._etag(incoming, fault)

    def _etag(self, incoming: IncomingObject, fault: Fault | None) -> str:
        true = incoming.md5
        if fault is None or fault.name is not FaultName.WRONG_ETAG:
            return true.hexdigest()
        # With a share below 1 a body meets the fault once, so that sending it again helps.
        if not fault.always and true.digest() in self._lied_about:
            return true.hexdigest()
        self._lied_about.add(true.digest())
        self._context.hits.add(**{fault.name: 1})
        return bytes(byte ^ 0xFF for byte in true.digest()).hex()


async def start_body(content: StreamReader, fault: Fault | None) -> ReadPace:
    """Return at what pace the body is to be read. Raises ConnectionCut, after a part of it."""
    if fault and fault.name is FaultName.CUT_BODY:
        await content.readany()
        raise ConnectionCut
    return SLOW_PACE if fault and fault.name is FaultName.SLOW_BODY else FULL_SPEED


async def _take(body: AsyncIterator[bytes], incoming: IncomingObject) -> int:
    size = 0
    async for block in body:
        size += len(block)
        if len(block) <= MAX_INLINE_WRITE:
            incoming.write(block)
        else:
            await to_thread.run_sync(incoming.write, block)
    return size


async def read_blocks(content: StreamReader, length: int, pace: ReadPace) -> AsyncIterator[bytes]:
    """Yield exactly `length` bytes.

    Raises S3Error: IncompleteBody when the client goes away before, RequestTimeout when it sends nothing for long.
    """
    while length:
        try:
            block = await _exactly(content, min(length, pace.block))
        except TimeoutError:
            raise request_timeout() from None
        except (asyncio.IncompleteReadError, ConnectionError, web.RequestPayloadError):
            raise incomplete_body() from None
        length -= len(block)
        yield block
        if pace.pause:
            await anyio.sleep(pace.pause)


async def _exactly(content: StreamReader, count: int) -> bytes:
    """Return so many bytes, and be patient as long as any of them come. Raises TimeoutError, IncompleteReadError."""
    parts: list[bytes] = []
    while count:
        async with asyncio.timeout(PATIENCE):
            part = await content.read(count)
        if not part:
            raise asyncio.IncompleteReadError(b"", count)
        count -= len(part)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_continue(request: web.Request) -> None:
    """Tell a client that waits for it to send the body, now that everything before it is in order (RFC 9110)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # It is no part of the answer, which has not begun.
        request.writer.output_size = 0
