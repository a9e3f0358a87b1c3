"""The requests to the store that are not about the bytes of one object: multipart uploads, and lists of a bucket."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web
from anyio import to_thread

from bulkup.localserver.api_common import ApiError, read_body
from bulkup.localserver.context import ServerContext
from bulkup.localserver.s3 import s3_documents
from bulkup.localserver.s3.authorization import authorize
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.part_store import PartStore
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest

_MOST = 1000  # entries of a list


class BucketApi:
    """Multipart uploads, and lists. Every request needs a signature of version 4."""

    def __init__(self, context: ServerContext, objects: ObjectStore, parts: PartStore) -> None:
        self._context = context
        self._objects = objects
        self._parts = parts

    def takes(self, received: ReceivedRequest) -> bool:
        """Return whether a request is for this API."""
        names = received.parameters.keys()
        if received.method == "POST":
            return "uploads" in names or "uploadId" in names
        if received.method == "DELETE":
            return "uploadId" in names
        return received.method == "GET" and ("uploads" in names or "list-type" in names)

    async def handle(self, request: web.Request, received: ReceivedRequest) -> web.Response:
        """Answer a request. Raises S3Error."""
        try:
            body = await read_body(request, self._context.limits)
        except ApiError as error:
            raise S3Error(error.status, "IncompleteBody", error.message) from None
        authorize(received, self._context.key, self._context.clock.now(), self._context.user_key, body=body)
        if received.method == "GET":
            return _xml(await to_thread.run_sync(self._list, received))
        key, upload_id = object_key(received.raw_path), received.parameters.get("uploadId")
        if upload_id is None:
            return _xml(self._begin(key))
        if received.method == "DELETE":
            self._parts.check(upload_id, key)
            await to_thread.run_sync(self._parts.drop, upload_id)
            return web.Response(status=204)
        return _xml(await to_thread.run_sync(self._complete, key, upload_id, body))

    def _begin(self, key: str) -> bytes:
        upload_id = secrets.token_hex(16)
        self._parts.begin(upload_id, key)
        self._context.counters.add(tickets=1)
        bucket, _, name = key.partition("/")
        pairs = [("Bucket", bucket), ("Key", name), ("UploadId", upload_id)]
        return s3_documents.document("InitiateMultipartUploadResult", pairs)

    def _complete(self, key: str, upload_id: str, body: bytes) -> bytes:
        self._parts.check(upload_id, key)
        given = s3_documents.completed_parts(body)
        incoming = self._objects.receive()
        try:
            etag = self._parts.complete(upload_id, given, incoming)
            self._objects.publish(incoming, key, etag)
        finally:
            incoming.discard()
        self._parts.drop(upload_id)
        bucket, _, name = key.partition("/")
        pairs = [("Bucket", bucket), ("Key", name), ("ETag", f'"{etag}"')]
        return s3_documents.document("CompleteMultipartUploadResult", pairs)

    def _list(self, received: ReceivedRequest) -> bytes:
        bucket, given = unquote(received.raw_path).strip("/"), received.parameters
        prefix, most = given.get("prefix", ""), _number(given)
        if "uploads" in given:
            after = given.get("key-marker", ""), given.get("upload-id-marker", "")
            found = [one for one in self._parts.unfinished(bucket, prefix) if (one.key, one.upload_id) > after]
            return s3_documents.upload_list(bucket, prefix, found[:most], truncated=len(found) > most)
        start = given.get("continuation-token") or given.get("start-after", "")
        objects = self._objects.list(bucket, prefix, start, most + 1)
        more = objects[most - 1].key if len(objects) > most else None
        return s3_documents.object_list(bucket, prefix, objects[:most], more=more)


def _number(parameters: Mapping[str, str]) -> int:
    text = parameters.get("max-keys") or parameters.get("max-uploads")
    return min(_MOST, int(text)) if text and text.isascii() and text.isdigit() and int(text) else _MOST


def _xml(body: bytes) -> web.Response:
    headers = {"x-amz-request-id": secrets.token_hex(8).upper()}
    return web.Response(body=body, content_type="application/xml", headers=headers)
