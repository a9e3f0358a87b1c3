"""Recognizes the documents that stores, gateways and login pages send as the body of an answer, also after a success.

Pure. The documents are cut to 64 KiB, and only a few of their elements are needed. Patterns are enough, and expand no
entities.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from typing import Any

from bulkup.helpers.lazy_pattern import lazy_pattern

_LARGEST = 64 * 1024  # bytes of a body after its decompression
_ANY_HEADER = 32 + zlib.MAX_WBITS  # of gzip or zlib
_GZIP = b"\x1f\x8b"
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}

_CODE = lazy_pattern(rb"<(?:\w+:)?Code>\s*([A-Za-z0-9.]{1,64})\s*</")
_MESSAGE = lazy_pattern(rb"<(?:\w+:)?Message>([^<]{1,512})")
_FLAGS = re.IGNORECASE | re.DOTALL
# An element of XML after a declaration, instructions, comments and a document type.
_PROLOG = rb"(?:\xef\xbb\xbf)?\s*(?>(?:(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE\b[^>\[]*(?:\[.*?\]\s*)?>)\s*)*)"
_ROOT = lazy_pattern(_PROLOG + rb"<(?:\w+:)?(?:Error|Errors|ErrorResponse|Exception|Fault)[\s/>]", _FLAGS)
_ENVELOPE = lazy_pattern(_PROLOG + rb"<(?:\w+:)?Envelope[\s>].*?<(?:\w+:)?Fault[\s/>]", _FLAGS)
# Parts of a web page without its first element. None of them is an element of a store's answer.
_PAGE_PART = lazy_pattern(_PROLOG + rb"<(?:head|body|script|meta|title|style|frameset|iframe)\b", _FLAGS)
# The beginning of an error in JSON that was cut off, and so cannot be parsed. An empty value is no error.
_CUT_JSON = lazy_pattern(
    rb"(?:\xef\xbb\xbf)?\s*\{\s*\"errors?\"\s*:(?!\s*(?:null|false|0|\"\"|\[\s*\]|\{\s*\})\s*[,}])", re.IGNORECASE
)
_FIRST_ERROR = 400  # of the statuses


def plain_body(body: bytes, coding: str) -> bytes:
    """Return a body decompressed, and as UTF-8. One that cannot be decompressed is returned as far as it can."""
    if coding.strip().lower() in ("gzip", "x-gzip", "deflate") or body.startswith(_GZIP):
        with contextlib.suppress(zlib.error):
            body = zlib.decompressobj(_ANY_HEADER).decompress(body, _LARGEST)
    encoding = _UTF16.get(body[:2])
    return body if encoding is None else body.decode(encoding, "replace").encode("utf-8", "replace")


def is_part_of_page(body: bytes) -> bool:
    """Return whether a body begins with an element that only a web page has."""
    return _PAGE_PART.match(body) is not None


def is_error_document(body: bytes) -> bool:
    """Return whether a body reports an error, in XML as S3 does, as SOAP, or in JSON as gateways do."""
    if _ROOT.match(body) or _ENVELOPE.match(body):
        return True
    return _CUT_JSON.match(body) is not None or _json_reports_error(_json_object(body))


def code_and_message(body: bytes) -> tuple[str, str]:
    """Return the code and the message of an error document, empty where it has none."""
    code, message = _first(_CODE, body), _first(_MESSAGE, body)
    if code or message:
        return code, message
    value = _json_object(body)
    nested = value.get("error")
    inner = nested if isinstance(nested, dict) else value
    return _text(inner.get("code"), 64), _text(inner.get("message"), 512)


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the names of a JSON object in lower case with their values, empty for anything else."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return {}
    import orjson  # noqa: PLC0415  # it takes long, and a sending process seldom reads such a document

    with contextlib.suppress(ValueError):
        value = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
        return {name.lower(): found for name, found in value.items()}
    return {}


def _json_reports_error(value: dict[str, Any]) -> bool:
    if any(value.get(name) for name in ("error", "errors", "fault", "exception")):
        return True
    if value.get("success") is False or value.get("ok") is False:
        return True
    statuses = (value.get("status"), value.get("statuscode"), value.get("code"))
    if any(isinstance(status, int) and status >= _FIRST_ERROR for status in statuses):
        return True
    return bool(_text(value.get("code"), 64) and _text(value.get("message"), 512))


def _text(value: object, longest: int) -> str:
    return value[:longest] if isinstance(value, str) else ""


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return found.group(1).decode("utf-8", "replace") if found else ""
