"""Headers on their way out and in: what may be sent, and what came in a form that the journal can hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bulkup.helpers.secrets import Secret

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\r\n\0]")


def revealed(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """Return headers as they go out. Raises ValueError for what would end a header, or is none (RFC 9110 5.1, 5.5)."""
    plain = {}
    for name, value in headers.items():
        plain[name] = text = value if isinstance(value, str) else value.reveal()
        if _NO_VALUE.search(text) or not _TOKEN.fullmatch(name):
            raise ValueError("a header that cannot be sent")
    return plain


def with_length(headers: Mapping[str, str | Secret], size: int) -> dict[str, str]:
    """Return headers as they go out with a body of `size` bytes, whose length they tell.

    Raises ValueError also for a name that comes twice, and for what would frame the body otherwise (RFC 9112 6.3).
    """
    plain = {name: value for name, value in revealed(headers).items() if name.lower() != "content-length"}
    names = {name.lower() for name in plain}
    if len(names) < len(plain) or "transfer-encoding" in names:
        raise ValueError("headers that contradict one another")
    return {**plain, "Content-Length": str(size)}


def method(text: str) -> str:
    """Return a request's method. Raises ValueError where it is no word."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("a method that is none")
    return text


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Return an answer's headers with their names in lower case."""
    # The client keeps bytes that are not UTF-8 as surrogates, which neither the journal nor JSON can hold.
    return {_utf8(name).lower(): _utf8(value) for name, value in headers.items()}


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
