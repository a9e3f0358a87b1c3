"""Object keys from request paths. Every name from the network that reaches the disk passes this check."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from bulkup.localserver.s3.s3_errors import S3Error, invalid_uri

MAX_KEY_LENGTH = 1024  # bytes; the limit of S3
MAX_SEGMENT_LENGTH = 255  # bytes; the limit of file systems for one name

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def object_key(raw_path: str) -> str:
    """Return `bucket/key` for the encoded path of a request.

    Every segment is a plain name: not empty, not `.` or `..`, without NUL and without an encoded slash. So a path that
    is joined from a directory and the key stays in the directory. Raises S3Error: InvalidURI, KeyTooLongError, and
    MethodNotAllowed for a path without a key.
    """
    if not raw_path.startswith("/") or _BROKEN_ESCAPE.search(raw_path):
        raise invalid_uri()
    bucket, _, path = raw_path[1:].partition("/")
    segments = [_segment(bucket)] + ([_segment(part) for part in path.split("/")] if path else [])
    if len(segments) < 2:
        raise S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    key = "/".join(segments)
    if len(key.encode()) > MAX_KEY_LENGTH:
        raise _too_long()
    return key


def _segment(part: str) -> str:
    name = unquote_to_bytes(part)
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise invalid_uri()
    if len(name) > MAX_SEGMENT_LENGTH:
        raise _too_long()
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise invalid_uri() from None


def _too_long() -> S3Error:
    return S3Error(400, "KeyTooLongError", "Your key is too long.", MaxSizeAllowed=str(MAX_KEY_LENGTH))
