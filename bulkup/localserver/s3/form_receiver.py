"""Form POSTs to the store, `POST /{bucket}/` (docs/contracts.md section 4): policy, storage and answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.context import ServerContext
from bulkup.localserver.s3.authorization import refuse_credentials
from bulkup.localserver.s3.body_receiver import BodyReceiver, send_continue
from bulkup.localserver.s3.form_parser import MAX_BEFORE_FILE, FileExtractor, FormHead, form_boundary, parse_form_head
from bulkup.localserver.s3.form_policy import SizeRange, authorize_form, policy_expired
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.put_rules import form_length
from bulkup.localserver.s3.s3_errors import method_not_allowed
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin, encoded_path

_ESCAPED = {"\r": "&#13;"}  # parsers of XML read a plain carriage return as a line feed
_HEAD_SIZE = MAX_BEFORE_FILE + 4096  # bytes to read before parsing; more than the fields may have


@dataclass(frozen=True, slots=True)
class StoredForm:
    """A form whose file is stored: place, size in bytes, ETag unquoted, and the status that the form asked for."""

    bucket: str
    key: str
    size: int
    etag: str
    status: int


class FormReceiver:
    """Stores the files of forms that their policy allows."""

    def __init__(self, context: ServerContext, objects: ObjectStore, bodies: BodyReceiver) -> None:
        self._context = context
        self._objects = objects
        self._bodies = bodies

    async def store(self, request: web.Request, received: ReceivedRequest, bucket: str) -> StoredForm:
        """Store the file of a form. Raises the errors of BodyReceiver; nothing is stored then."""
        refuse_credentials(received.headers)
        length, boundary = form_length(received.headers), form_boundary(received.headers.get("content-type", ""))
        await send_continue(request)
        start = b"".join([block async for block in self._bodies.read(request.content, min(length, _HEAD_SIZE))])
        head = parse_form_head(start, boundary)
        fields = _fields(head, bucket)
        policy = authorize_form(fields, self._context.key, self._context.clock.now())
        key = object_key(encoded_path(f"{bucket}/{fields['key']}"))
        fault = self._bodies.draw_fault(lambda _now: policy_expired())
        pace = await self._bodies.pace(request.content, fault)
        rest = self._bodies.read(request.content, length - len(start), pace)
        file = _file_bytes(start[head.start :], rest, FileExtractor(boundary), policy.sizes)
        size, etag = await self._bodies.store(file, lambda incoming: self._objects.publish(incoming, key), fault)
        return StoredForm(bucket, fields["key"], size, etag, _status(fields))


def form_answer(stored: StoredForm, origin: ServerOrigin) -> web.Response:
    """Return the answer that the form asked for: 201 with an XML document, or 200 or 204 without."""
    location = origin.url(encoded_path(f"{stored.bucket}/{stored.key}"))
    headers = {"ETag": f'"{stored.etag}"', "Location": location}
    if stored.status != 201:
        return web.Response(status=stored.status, headers=headers)
    elements = {"Location": location, "Bucket": stored.bucket, "Key": stored.key, "ETag": headers["ETag"]}
    inner = "".join(f"<{name}>{escape(value, _ESCAPED)}</{name}>" for name, value in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'.encode()
    return web.Response(status=201, body=body, headers=headers, content_type="application/xml")


def requested_bucket(request: ReceivedRequest) -> str:
    """Return the bucket of a form POST. Raises S3Error MethodNotAllowed if the URL is not that of a bucket."""
    bucket = request.raw_path.removeprefix("/").removesuffix("/")
    if not bucket or "/" in bucket or request.raw_query:
        raise method_not_allowed("POST")
    return unquote(bucket)


def _fields(head: FormHead, bucket: str) -> dict[str, str]:
    """Return the fields as a policy checks them: with the bucket, and with `${filename}` replaced in the key."""
    fields = {**head.fields, "bucket": bucket}
    if "key" in fields:
        name = head.filename.replace("\\", "/").rpartition("/")[2]
        fields["key"] = fields["key"].replace("${filename}", name)
    return fields


async def _file_bytes(
    start: bytes, rest: AsyncIterator[bytes], extractor: FileExtractor, sizes: SizeRange
) -> AsyncIterator[bytes]:
    """Yield the file's bytes. Raises S3Error if the body is not a form, or the file's size is not allowed."""
    size = 0
    async for block in _chained(start, rest):
        content = extractor.feed(block)
        size += len(content)
        sizes.check_not_over(size)
        if content:
            yield content
    extractor.finish()
    sizes.check_not_under(size)


async def _chained(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for block in rest:
        yield block


def _status(fields: dict[str, str]) -> int:
    status = fields.get("success_action_status")
    return int(status) if status in ("200", "201") else 204
