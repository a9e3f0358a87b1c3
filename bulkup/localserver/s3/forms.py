"""Form POSTs to the store, `POST /{bucket}/` (docs/contracts.md section 4): authorization, storage and answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

from bulkup.localserver.context import Context
from bulkup.localserver.s3.form_policy import SizeRange, authorize, policy_expired
from bulkup.localserver.s3.multipart import MOST_BEFORE_FILE, FileEnd, Opening, boundary_of, read_opening
from bulkup.localserver.s3.objects import ObjectStore
from bulkup.localserver.s3.presigned import ReceivedRequest, ServerOrigin, encoded_path
from bulkup.localserver.s3.put_rules import form_length
from bulkup.localserver.s3.puts import FULL_SPEED, PutDesk, begin, blocks, let_continue
from bulkup.localserver.s3.request_keys import object_key
from bulkup.localserver.s3.s3_errors import method_not_allowed
from bulkup.localserver.s3.signatures import refuse_credentials

_OPENING = MOST_BEFORE_FILE + 4096  # bytes that are read before a form is judged: more than may stand before the file


@dataclass(frozen=True, slots=True)
class Posted:
    """A form whose file is stored: where, its size in bytes, its ETag unquoted, and the status asked for."""

    bucket: str
    key: str
    size: int
    etag: str
    status: int


class FormDesk:
    """Stores the files of forms that a policy lets in."""

    def __init__(self, context: Context, objects: ObjectStore, puts: PutDesk) -> None:
        self._context = context
        self._objects = objects
        self._puts = puts

    async def store(self, request: web.Request, asked: ReceivedRequest, bucket: str) -> Posted:
        """Store the file of a form. Raises what PutDesk raises; then nothing is stored."""
        refuse_credentials(asked.headers)
        length, boundary = form_length(asked.headers), boundary_of(asked.headers.get("content-type", ""))
        await let_continue(request)
        start = await _start(request, length)
        opening = read_opening(start, boundary)
        fields = _fields(opening, bucket)
        policy = authorize(fields, self._context.key, self._context.clock.now())
        key = object_key(encoded_path(f"{bucket}/{fields['key']}"))
        fault = self._puts.meet_fault(lambda _now: policy_expired())
        rest = blocks(request.content, length - len(start), await begin(request.content, fault))
        file = _file(start[opening.start :], rest, FileEnd(boundary), policy.sizes)
        size, etag = await self._puts.keep(file, lambda incoming: self._objects.publish(incoming, key), fault)
        return Posted(bucket, fields["key"], size, etag, _status(fields))


def answer_of(posted: Posted, origin: ServerOrigin) -> web.Response:
    """Return what a form asked to be answered: 201 with a document, 200 or 204 without."""
    location = origin.url(encoded_path(f"{posted.bucket}/{posted.key}"))
    headers = {"ETag": f'"{posted.etag}"', "Location": location}
    if posted.status != 201:
        return web.Response(status=posted.status, headers=headers)
    elements = {"Location": location, "Bucket": posted.bucket, "Key": posted.key, "ETag": headers["ETag"]}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'.encode()
    return web.Response(status=201, body=body, headers=headers, content_type="application/xml")


def bucket_of(asked: ReceivedRequest) -> str:
    """Return the bucket that a form is for. Raises S3Error MethodNotAllowed for what is not a bucket's own URL."""
    bucket = asked.raw_path.removeprefix("/").removesuffix("/")
    if not bucket or "/" in bucket or asked.raw_query:
        raise method_not_allowed("POST")
    return unquote(bucket)


async def _start(request: web.Request, length: int) -> bytes:
    return b"".join([block async for block in blocks(request.content, min(length, _OPENING), FULL_SPEED)])


def _fields(opening: Opening, bucket: str) -> dict[str, str]:
    """Return the fields as a policy sees them: with the bucket, and the file's name put into the key."""
    fields = {**opening.fields, "bucket": bucket}
    if "key" in fields:
        name = opening.filename.replace("\\", "/").rpartition("/")[2]
        fields["key"] = fields["key"].replace("${filename}", name)
    return fields


async def _file(start: bytes, rest: AsyncIterator[bytes], end: FileEnd, sizes: SizeRange) -> AsyncIterator[bytes]:
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
