"""XML documents of the store's answers and requests: lists, and the parts that complete an upload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bulkup.localserver.s3.s3_errors import S3Error

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# Characters that XML 1.0 cannot contain.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
Pairs = Iterable[tuple[str, "str | Pairs"]]


class ListedObject(NamedTuple):
    """An object in a list."""

    key: str
    size: int
    etag: str
    modified: float


class ListedUpload(NamedTuple):
    """An unfinished upload in a list."""

    key: str
    upload_id: str
    begun: float


def document(name: str, pairs: Pairs) -> bytes:
    """Return an XML document whose elements are these pairs, in order."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{_NAMESPACE}">{_inner(pairs)}</{name}>'.encode()


def _inner(pairs: Pairs) -> str:
    return "".join(
        f"<{name}>{escape(_NOT_XML.sub('?', value)) if isinstance(value, str) else _inner(value)}</{name}>"
        for name, value in pairs
    )


def object_list(bucket: str, prefix: str, objects: Sequence[ListedObject], *, more: str | None) -> bytes:
    """Return a list of objects; `more` is the token for the next page."""
    return document(
        "ListBucketResult",
        [
            ("Name", bucket),
            ("Prefix", prefix),
            ("KeyCount", str(len(objects))),
            ("IsTruncated", "false" if more is None else "true"),
            *([("NextContinuationToken", more)] if more is not None else []),
            *(
                (
                    "Contents",
                    [
                        ("Key", one.key),
                        ("LastModified", _iso(one.modified)),
                        ("ETag", f'"{one.etag}"'),
                        ("Size", str(one.size)),
                    ],
                )
                for one in objects
            ),
        ],
    )


def upload_list(bucket: str, prefix: str, uploads: Sequence[ListedUpload], *, truncated: bool) -> bytes:
    """Return a list of unfinished uploads."""
    last = uploads[-1] if truncated else None
    return document(
        "ListMultipartUploadsResult",
        [
            ("Bucket", bucket),
            ("Prefix", prefix),
            ("IsTruncated", "false" if last is None else "true"),
            *([("NextKeyMarker", last.key), ("NextUploadIdMarker", last.upload_id)] if last is not None else []),
            *(
                ("Upload", [("Key", one.key), ("UploadId", one.upload_id), ("Initiated", _iso(one.begun))])
                for one in uploads
            ),
        ],
    )


def completed_parts(body: bytes) -> list[tuple[int, str]]:
    """Return the numbers and ETags in the request that completes an upload. Raises S3Error."""
    try:
        root = fromstring(body, forbid_dtd=True)
        parts = [(int(_text(part, "PartNumber")), _text(part, "ETag").strip('"')) for part in root]
    except (ParseError, DefusedXmlException, ValueError):
        parts = []
    if not parts:
        raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed or did not validate.")
    if [number for number, _ in parts] != sorted({number for number, _ in parts}):
        raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
    return parts


def _text(part: Iterable[object], name: str) -> str:
    for child in part:
        tag = str(getattr(child, "tag", ""))
        if tag.rpartition("}")[2] == name:
            return str(getattr(child, "text", None) or "")
    return ""


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
