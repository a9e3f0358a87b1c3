"""Headers of requests and answers: validation before sending, and a form that the journal can store. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import Secret
from bulkup.model.http import Headers

_TOKEN = lazy_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_INVALID_IN_VALUE = lazy_pattern(r"[\r\n\0]")


def reveal(headers: Headers) -> dict[str, str]:
    """Return headers in plain text. Raises ValueError for an invalid name or value (RFC 9110 5.1, 5.5)."""
    plain = {}
    for name, value in headers.items():
        plain[name] = text = value.reveal() if isinstance(value, Secret) else value
        if not _is_token(name) or (not text.isprintable() and _INVALID_IN_VALUE.search(text)):
            raise ValueError("a header that cannot be sent")
    return plain


@functools.lru_cache(maxsize=256)  # tickets have a handful of names
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def with_length(headers: Headers, size: int) -> dict[str, str]:
    """Return headers in plain text, with the Content-Length of a body of `size` bytes.

    Raises ValueError, also for a repeated name and for Transfer-Encoding, which would override the length (RFC 9112
    6.3).
    """
    plain = {name: value for name, value in reveal(headers).items() if name.lower() != "content-length"}
    names = {name.lower() for name in plain}
    if len(names) < len(plain) or "transfer-encoding" in names:
        raise ValueError("headers that contradict one another")
    return {**plain, "Content-Length": str(size)}


def checked_method(method: str) -> str:
    """Return the method. Raises ValueError if it is not a token (RFC 9110 9.1)."""
    if not _TOKEN.fullmatch(method):
        raise ValueError("an invalid method")
    return method


def with_lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Return an answer's headers with their names in lower case and their text valid in UTF-8."""
    # aiohttp keeps invalid bytes as surrogates, which neither the journal nor JSON can hold.
    return merged([(_valid(name).lower(), _valid(value)) for name, value in headers.items()])


def merged(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the fields of an answer, whose names are in lower case. Of a repeated field the last value counts.

    Fields that describe the stored object are evidence, so their values are joined by commas if they differ (RFC 9110
    5.3).
    """
    headers = dict(fields)
    if len(headers) < len(fields):
        for name in headers:
            if name == "etag" or name.startswith("x-amz-"):
                headers[name] = ", ".join(dict.fromkeys(value for other, value in fields if other == name))
    return headers


def _valid(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
