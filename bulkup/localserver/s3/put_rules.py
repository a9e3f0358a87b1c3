"""The rules of S3 for the length and the checksum of a body (docs/contracts.md section 5)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Mapping

from bulkup.localserver.s3.s3_errors import S3Error, bad_digest

MAX_OBJECT_SIZE = 5 << 30  # bytes in one PUT or form POST
MAX_FORM_OVERHEAD = 64 << 10  # bytes of a form besides its file


def declared_length(headers: Mapping[str, str]) -> int:
    """Return the length of the body in bytes; header names are lower case.

    Raises S3Error: NotImplemented for chunked bodies, MissingContentLength, EntityTooLarge.
    """
    if "transfer-encoding" in headers:
        raise S3Error(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="Transfer-Encoding",
        )
    return _content_length(headers, MAX_OBJECT_SIZE)


def form_length(headers: Mapping[str, str]) -> int:
    """Return the length of the body of a form POST in bytes: the file, the fields and the boundaries.

    Raises S3Error: MissingContentLength, for chunked bodies as well, EntityTooLarge.
    """
    return _content_length(headers, MAX_OBJECT_SIZE + MAX_FORM_OVERHEAD)


def _content_length(headers: Mapping[str, str], maximum: int) -> int:
    if "content-length" not in headers:
        raise S3Error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    length = int(headers["content-length"])
    if length > maximum:
        raise S3Error(
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=str(length),
            MaxSizeAllowed=str(MAX_OBJECT_SIZE),
        )
    return length


def declared_md5(headers: Mapping[str, str]) -> bytes | None:
    """Return the 16 bytes of Content-MD5, None if the header is missing. Raises S3Error InvalidDigest."""
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise S3Error(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    return digest


def declared_sha256(headers: Mapping[str, str]) -> bytes | None:
    """Return the 32 bytes of x-amz-checksum-sha256, None if the header is missing. Raises S3Error InvalidRequest."""
    text = headers.get("x-amz-checksum-sha256")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 32:
        raise S3Error(400, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid.")
    return digest


async def checked_sha256(body: AsyncIterator[bytes], declared: bytes) -> AsyncIterator[bytes]:
    """Yield the blocks of a body. Raises S3Error BadDigest at its end if it does not match the checksum."""
    received = hashlib.sha256()
    async for block in body:
        received.update(block)
        yield block
    if received.digest() != declared:
        raise S3Error(400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")


def check_md5(declared: bytes | None, received: bytes) -> None:
    """Raise S3Error BadDigest if the body does not match Content-MD5."""
    if declared is not None and declared != received:
        raise bad_digest(base64.b64encode(declared).decode(), base64.b64encode(received).decode())


def incomplete_body() -> S3Error:
    """Return the error 400 IncompleteBody."""
    return S3Error(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )


def request_timeout() -> S3Error:
    """Return the error 400 RequestTimeout."""
    return S3Error(
        400,
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period. Idle "
        "connections will be closed.",
    )
