"""The body of an API answer, decoded and bounded: a few kilobytes of gzip can hold gigabytes.

Pure.
"""

from __future__ import annotations

import zlib

ACCEPTED = "gzip, deflate"  # the value of Accept-Encoding
_ANY_HEADER = 32 + zlib.MAX_WBITS  # of gzip or zlib
_RAW = -zlib.MAX_WBITS  # some servers send it as deflate


class BodyError(ValueError):
    """The body is too large, or cannot be decoded. The text holds no part of it."""


class BoundedBody:
    """Collects a body of at most `limit` bytes, with the content coding that the answer names."""

    def __init__(self, coding: str, limit: int) -> None:
        self._coding = coding.strip().lower()
        self._limit = limit
        self._body = bytearray()
        self._decoder: zlib._Decompress | None = None
        if self._coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise BodyError(f"an answer in the content coding {self._coding[:32]!r}, which was not asked for")

    def feed(self, data: bytes) -> None:
        """Add received bytes. Raises `BodyError`."""
        if self._coding in ("", "identity"):
            self._body += data
        else:
            self._decode(data)
        if len(self._body) > self._limit:
            raise BodyError(f"an answer of more than {self._limit} bytes")

    def end(self) -> bytes:
        """Return the body. Raises `BodyError` if its coding was cut off."""
        if self._decoder is not None and not self._decoder.eof:
            raise BodyError("an answer whose compressed body is incomplete")
        return bytes(self._body)

    def _decode(self, data: bytes) -> None:
        if self._decoder is None:
            raw = self._coding == "deflate" and data[:1] and data[0] & 0x0F != 8  # no header of zlib
            self._decoder = zlib.decompressobj(_RAW if raw else _ANY_HEADER)
        try:
            # One byte more than allowed shows that there is more; the rest is never expanded.
            self._body += self._decoder.decompress(data, self._limit + 1 - len(self._body))
        except zlib.error as error:
            raise BodyError("an answer whose compressed body is damaged") from error
