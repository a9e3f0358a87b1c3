"""The store: PUT, GET and HEAD by signed URLs, form POSTs by signed policies (docs/contracts.md section 5)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from typing import Final

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedReader
from aiohttp import web
from anyio import to_thread

from bulkup.localserver.context import ServerContext, received_request, request_origin
from bulkup.localserver.s3.authorization import authorize
from bulkup.localserver.s3.body_receiver import PATIENCE, BodyReceiver, ConnectionCut, Publish
from bulkup.localserver.s3.form_receiver import FormReceiver, StoredForm, form_answer, requested_bucket
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.object_store import READ_SIZE, ObjectStore
from bulkup.localserver.s3.part_store import PartStore, requested_part
from bulkup.localserver.s3.s3_errors import S3Error, internal_error, invalid_uri, method_not_allowed
from bulkup.localserver.s3.signing_types import ReceivedRequest

MAX_DRAINED_BODY = 1 << 20  # bytes of a refused body that are read to keep the connection

_log = logging.getLogger(__name__)
_MISSING: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class S3Api:
    """Answers all requests that are no API's."""

    def __init__(self, context: ServerContext, objects: ObjectStore, parts: PartStore) -> None:
        self._context = context
        self._objects = objects
        self._parts = parts
        self._puts = BodyReceiver(context, objects)
        self._forms = FormReceiver(context, objects, self._puts)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; what the store refuses, it refuses as XML."""
        try:
            return await self._answer(request)
        except ConnectionCut:
            return _cut(request)
        except S3Error as error:
            return _refusal(request, error)
        except OSError:
            _log.warning("the store could not do a %s", request.method, exc_info=True)
            return _refusal(request, internal_error())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match request.method:
            case "PUT":
                return await self._put(request)
            case "GET" | "HEAD":
                return await self._get(request)
            case "POST":
                return await self._post(request)
        raise method_not_allowed(request.method)

    def _authorized(self, request: web.Request) -> tuple[ReceivedRequest, str]:
        asked = _asked(request)
        key = object_key(asked.raw_path)
        authorize(asked, self._context.key, self._context.clock.now())
        return asked, key

    async def _put(self, request: web.Request) -> web.Response:
        size: int | None = None
        try:
            asked, key = self._authorized(request)
            size, etag = await self._puts.store(request, asked.headers, self._place(asked, key))
        finally:
            if size is None:
                self._context.counters.add(puts_failed=1)
        self._context.counters.add(puts_completed=1, bytes=size)
        return web.Response(headers={"ETag": f'"{etag}"', "x-amz-request-id": _request_id()})

    async def _post(self, request: web.Request) -> web.Response:
        asked = _asked(request)
        bucket = requested_bucket(asked)
        posted: StoredForm | None = None
        try:
            posted = await self._forms.store(request, asked, bucket)
        finally:
            if posted is None:
                self._context.counters.add(puts_failed=1)
        self._context.counters.add(puts_completed=1, bytes=posted.size)
        response = form_answer(posted, request_origin(request))
        response.headers["x-amz-request-id"] = _request_id()
        return response

    def _place(self, asked: ReceivedRequest, key: str) -> Publish:
        part = requested_part(asked)
        if part is None:
            return lambda incoming: self._objects.publish(incoming, key)
        return lambda incoming: self._parts.publish(incoming, *part)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        _, key = self._authorized(request)
        try:
            async with aiofiles.open(self._objects.path(key), "rb") as file:
                return await _send(request, file)
        except _MISSING:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.") from None
        except TimeoutError:
            raise ConnectionCut from None


def _asked(request: web.Request) -> ReceivedRequest:
    """Return the request as plain values. Raises S3Error InvalidURI for a target that is not ASCII."""
    if not request.raw_path.isascii():
        raise invalid_uri()
    return received_request(request)


async def _send(request: web.Request, file: AsyncBufferedReader) -> web.StreamResponse:
    """Read the file twice: the digest in the ETag must be of what is there, not of what was once received."""
    etag, size = await _measured(file)
    response = web.StreamResponse(headers={"ETag": f'"{etag}"', "x-amz-request-id": _request_id()})
    response.content_type = "binary/octet-stream"
    response.content_length = size
    await response.prepare(request)
    while request.method == "GET" and (block := await file.read(READ_SIZE)):
        async with asyncio.timeout(PATIENCE):
            await response.write(block)
    await response.write_eof()
    return response


async def _measured(file: AsyncBufferedReader) -> tuple[str, int]:
    """Return the hex MD5 and the size of an open file, and leave it at its start."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := await file.read(READ_SIZE):
        await to_thread.run_sync(digest.update, block)
        size += len(block)
    await file.seek(0)
    return digest.hexdigest(), size


def _refusal(request: web.Request, error: S3Error) -> web.Response:
    request_id = _request_id()
    path = request.raw_path.partition("?")[0]
    headers = {"x-amz-request-id": request_id}
    if error.status == 405:
        headers["Allow"] = "POST" if "/" not in path.strip("/") else "GET, HEAD, PUT"
    response = web.Response(
        body=error.body(path, request_id), status=error.status, content_type="application/xml", headers=headers
    )
    # The server reads and drops what is left of the body; where that is much, or nobody knows how much, or the
    # client waits to be told to go on, the connection is worth less than that.
    length = request.content_length
    if "Expect" in request.headers or (request.body_exists and (length is None or length > MAX_DRAINED_BODY)):
        response.force_close()
    return response


def _cut(request: web.Request) -> web.Response:
    """Drop the connection. The answer that is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _request_id() -> str:
    return secrets.token_hex(8).upper()
