"""The routes of the store: PUT, GET and HEAD with signed URLs, form POSTs with signed policies, bucket calls."""

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
from bulkup.localserver.s3.body_receiver import BodyReceiver, ConnectionCut, Publish
from bulkup.localserver.s3.bucket_api import BucketApi
from bulkup.localserver.s3.form_receiver import FormReceiver, StoredForm, form_answer, requested_bucket
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.object_store import READ_SIZE, ObjectStore
from bulkup.localserver.s3.part_store import PartStore, requested_part
from bulkup.localserver.s3.s3_errors import S3Error, internal_error, invalid_uri, method_not_allowed
from bulkup.localserver.signing_types import ReceivedRequest

MAX_DRAINED_BODY = 1 << 20  # bytes of a refused body to read in order to keep the connection

_log = logging.getLogger(__name__)
_MISSING: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class S3Api:
    """The API of the store (docs/contracts.md section 5). It gets all requests that no other API gets."""

    def __init__(self, context: ServerContext, objects: ObjectStore, parts: PartStore) -> None:
        self._context = context
        self._objects = objects
        self._parts = parts
        self._bodies = BodyReceiver(context, objects)
        self._buckets = BucketApi(context, objects, parts)
        self._forms = FormReceiver(context, objects, self._bodies)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with the time of the server. Errors are XML, as those of S3."""
        response = await self._answer_or_error(request)
        if not response.prepared:
            response.headers["Date"] = self._context.date
        return response

    async def _answer_or_error(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ConnectionCut:
            return _drop_connection(request)
        except S3Error as error:
            return _error_answer(request, error)
        except OSError:
            _log.warning("the store failed at a %s", request.method, exc_info=True)
            return _error_answer(request, internal_error())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if "?" in request.raw_path and self._buckets.takes(received := _received(request)):
            return await self._buckets.handle(request, received)
        match request.method:
            case "PUT":
                return await self._put(request)
            case "GET" | "HEAD":
                return await self._get(request)
            case "POST":
                return await self._post(request)
        raise method_not_allowed(request.method)

    def _authorized(self, request: web.Request) -> tuple[ReceivedRequest, str]:
        received = _received(request)
        key = object_key(received.raw_path)
        body = b"" if request.method in ("GET", "HEAD") else None
        authorize(received, self._context.key, self._context.clock.now(), self._context.user_key, body=body)
        return received, key

    async def _put(self, request: web.Request) -> web.Response:
        size: int | None = None
        try:
            received, key = self._authorized(request)
            size, etag = await self._bodies.store_put(request, received.headers, self._publish(received, key))
        finally:
            if size is None:
                self._context.counters.add(puts_failed=1)
        self._context.counters.add(puts_completed=1, bytes=size)
        answer = {"ETag": f'"{etag}"', "x-amz-request-id": _request_id()}
        if (sha256 := received.headers.get("x-amz-checksum-sha256")) is not None:
            answer["x-amz-checksum-sha256"] = sha256  # it was compared
        return web.Response(headers=answer)

    async def _post(self, request: web.Request) -> web.Response:
        received = _received(request)
        bucket = requested_bucket(received)
        stored: StoredForm | None = None
        try:
            stored = await self._forms.store(request, received, bucket)
        finally:
            if stored is None:
                self._context.counters.add(puts_failed=1)
        self._context.counters.add(puts_completed=1, bytes=stored.size)
        response = form_answer(stored, request_origin(request))
        response.headers["x-amz-request-id"] = _request_id()
        return response

    def _publish(self, received: ReceivedRequest, key: str) -> Publish:
        part = requested_part(received)
        if part is None:
            return lambda incoming: self._objects.publish(incoming, key)
        return lambda incoming: self._parts.publish(incoming, *part)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        _, key = self._authorized(request)
        try:
            async with aiofiles.open(self._objects.path(key), "rb") as file:
                etag = self._objects.etag_of_parts(key)
                return await _send(request, file, etag, self._context.limits.idle_timeout)
        except _MISSING:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.") from None
        except TimeoutError:
            raise ConnectionCut from None


def _received(request: web.Request) -> ReceivedRequest:
    """Return the request as plain values. Raises S3Error InvalidURI for a target that is not ASCII."""
    if not request.raw_path.isascii():
        raise invalid_uri()
    return received_request(request)


async def _send(
    request: web.Request, file: AsyncBufferedReader, etag: str | None, idle_timeout: float
) -> web.StreamResponse:
    """Answer with the file. It is read twice, so that the ETag is the digest of the bytes on disk now.

    `etag` is that of an object made of parts.
    """
    md5, size = await _md5_and_size(file)
    response = web.StreamResponse(headers={"ETag": f'"{etag or md5}"', "x-amz-request-id": _request_id()})
    response.content_type = "binary/octet-stream"
    response.content_length = size
    await response.prepare(request)
    while request.method == "GET" and (block := await file.read(READ_SIZE)):
        async with asyncio.timeout(idle_timeout):
            await response.write(block)
    await response.write_eof()
    return response


async def _md5_and_size(file: AsyncBufferedReader) -> tuple[str, int]:
    """Return the MD5 in hex and the size of an open file. Leaves the file at its start."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := await file.read(READ_SIZE):
        await to_thread.run_sync(digest.update, block)
        size += len(block)
    await file.seek(0)
    return digest.hexdigest(), size


def _error_answer(request: web.Request, error: S3Error) -> web.Response:
    request_id = _request_id()
    path = request.raw_path.partition("?")[0]
    headers = {"x-amz-request-id": request_id}
    if error.status == 405:
        headers["Allow"] = "POST" if "/" not in path.strip("/") else "GET, HEAD, PUT"
    response = web.Response(
        body=error.body(path, request_id), status=error.status, content_type="application/xml", headers=headers
    )
    # The server reads and drops the rest of a refused body, to keep the connection. It closes the connection instead if
    # the rest is long or of unknown length, or if the client waits for a 100 Continue.
    length = request.content_length
    if "Expect" in request.headers or (request.body_exists and (length is None or length > MAX_DRAINED_BODY)):
        response.force_close()
    return response


def _drop_connection(request: web.Request) -> web.Response:
    """Drop the connection. The returned answer is not sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _request_id() -> str:
    return secrets.token_hex(8).upper()
