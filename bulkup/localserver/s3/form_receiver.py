"""Form POSTs to the store, `POST /{bucket}/` (docs/contracts.md section 4): authorization, storage and answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

from bulkup.localserver.context import ServerContext
from bulkup.localserver.s3.authorization import refuse_credentials
from bulkup.localserver.s3.body_receiver import FULL_SPEED, BodyReceiver, read_blocks, send_continue, start_body
from bulkup.localserver.s3.form_parser import MAX_BEFORE_FILE, FileExtractor, FormHead, form_boundary, parse_form_head
from bulkup.localserver.s3.form_policy import SizeRange, authorize_form, policy_expired
from bulkup.localserver.s3.object_keys import object_key
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.put_rules import form_length
from bulkup.localserver.s3.s3_errors import method_not_allowed
from bulkup.localserver.s3.signing_types import ReceivedRequest, ServerOrigin, encoded_path

_OPENING = MAX_BEFORE_FILE + 4096  # bytes that are read before a form is judged: more than may stand before the file


@dataclass(frozen=True, slots=True)
class StoredForm:
    """A form whose file is stored: where, its size in bytes, its ETag unquoted, and the status asked for."""

    bucket: str
    key: str
    size: int
    etag: str
    status: int


class FormReceiver:
    """Stores the files of forms that a policy lets in."""

    def __init__(self, context: ServerContext, objects: ObjectStore, puts: BodyReceiver) -> None:
        self._context = context
        self._objects = objects
        self._puts = puts

    async def store(self, request: web.Request, asked: ReceivedRequest, bucket: str) -> StoredForm:
        """Store the file of a form. Raises what PutDesk raises; then nothing is stored."""
        refuse_credentials(asked.headers)
        length, boundary = form_length(asked.headers), form_boundary(asked.headers.get("content-type", ""))
        await send_continue(request)
        start = await _start(request, length)
        opening = parse_form_head(start, boundary)
        fields = _fields(opening, bucket)
        policy = authorize_form(fields, self._context.key, self._context.clock.now())
        key = object_key(encoded_path(f"{bucket}/{fields['key']}"))
        fault = self._puts.draw_fault(lambda _now: policy_expired())
        rest = read_blocks(request.content, length - len(start), await start_body(request.content, fault))
        file = _file(start[opening.start :], rest, FileExtractor(boundary), policy.sizes)
        size, etag = await self._puts.keep(file, lambda incoming: self._objects.publish(incoming, key), fault)
        return StoredForm(bucket, fields["key"], size, etag, _status(fields))


def form_answer(posted: StoredForm, origin: ServerOrigin) -> web.Response:
    """Return what a form asked to be answered: 201 with a document, 200 or 204 without."""
    location = origin.url(encoded_path(f"{posted.bucket}/{posted.key}"))
    headers = {"ETag": f'"{posted.etag}"', "Location": location}
    if posted.status != 201:
        return web.Response(status=posted.status, headers=headers)
    elements = {"Location": location, "Bucket": posted.bucket, "Key": posted.key, "ETag": headers["ETag"]}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'.encode()
    return web.Response(status=201, body=body, headers=headers, content_type="application/xml")


def requested_bucket(asked: ReceivedRequest) -> str:
    """Return the bucket that a form is for. Raises S3Error MethodNotAllowed for what is not a bucket's own URL."""
    bucket = asked.raw_path.removeprefix("/").removesuffix("/")
    if not bucket or "/" in bucket or asked.raw_query:
        raise method_not_allowed("POST")
    return unquote(bucket)


async def _start(request: web.Request, length: int) -> bytes:
    return b"".join([block async for block in read_blocks(request.content, min(length, _OPENING), FULL_SPEED)])


def _fields(opening: FormHead, bucket: str) -> dict[str, str]:
    """Return the fields as a policy sees them: with the bucket, and the file's name put into the key."""
    fields = {**opening.fields, "bucket": bucket}
    if "key" in fields:
        name = opening.filename.replace("\\", "/").rpartition("/")[2]
        fields["key"] = fields["key"].replace("${filename}", name)
    return fields


async def _file(start: bytes, rest: AsyncIterator[bytes], end: FileExtractor, sizes: SizeRange) -> AsyncIterator[bytes]:
    """Yield the file's bytes. Raises S3Error where the form turns out to be none, or the file has another size."""
    size = 0
    async for block in _chained(start, rest):
        content = end.feed(block)
        size += len(content)
        sizes.check_not_over(size)
        if content:
            yield content
    end.finish()
    sizes.check_not_under(size)


async def _chained(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for block in rest:
        yield block


def _status(fields: dict[str, str]) -> int:
    asked = fields.get("success_action_status")
    return int(asked) if asked in ("200", "201") else 204
