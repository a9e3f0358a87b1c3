"""Parses the answers on one connection, one per request. No I/O; httptools does the parsing.

Three sizes are limited: the head of an answer, the number of interim answers before it, and how much of its body is
kept.
"""

from __future__ import annotations

import functools
import re

import httptools

from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.headers import merged
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.sender import ANSWER_LIMIT

HEAD_LIMIT = 64 * 1024  # bytes of the head, including the heads of interim answers
TOTAL_LIMIT = 1024**2  # bytes of the whole answer; larger than ANSWER_LIMIT, since a chunk may hold a single byte
FIELDS_LIMIT = 256
INTERIM_LIMIT = 20
# A whole answer as nearly all stores give it: a head of plain fields that has arrived at once, and no body. It takes a
# small part of the parser's time, because most lines are those of earlier answers. The patterns take nothing that the
# parser would understand in another way.
_PLAIN_STATUS = re.compile(rb"HTTP/1\.1 (200|201) [\w ]*")
_PLAIN_FIELD = re.compile(rb"([\w-]+): ([!-~][ -~]*)")
_PLAIN_FIELDS = 64
_NOT_PLAIN = frozenset({"transfer-encoding", "proxy-connection", "upgrade"})
_CONTINUE, _SWITCHING_PROTOCOLS = 100, 101


class AnswerReader:
    """The parser of the answer to the current request; `reset` prepares it for the next one.

    `started`, `head_complete` and `complete` report how much has arrived: any byte, the head, all of it. `status` is
    valid once the head is complete. `continue_received` reports a 100 (Continue). `reusable` is valid once the answer
    is complete: whether the connection may carry another request.
    """

    __slots__ = (
        "_body", "_fields", "_headers", "_interim", "_kept", "_parser", "_received",
        "complete", "continue_received", "head_complete", "reusable", "started", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self._fields = list[tuple[bytes, bytes]]()
        self._parser = httptools.HttpResponseParser(self)
        self.reset()

    def reset(self) -> None:
        """Prepare for the answer to the next request."""
        self._fields.clear()
        self._headers: dict[str, str] = {}
        self._body: list[bytes] | None = None
        self.status = self._received = self._interim = self._kept = 0
        self.started = self.head_complete = self.complete = self.continue_received = False
        self.reusable = True

    def feed(self, data: bytes) -> bool:
        """Parse data and return whether the answer is complete. Raises `ExchangeError` for invalid HTTP."""
        if not self.started and self._take_plain(data):
            return True
        self.started = True
        in_body = self.head_complete
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.complete:
                raise ExchangeError(FailureKind.NOT_HTTP) from None
            self.reusable = False
        if not self.complete or not in_body:
            self._check_size(len(data), in_body)
        return self.complete

    def complete_at_eof(self) -> bool:
        """Return whether the answer is complete now that the stream has ended.

        That is so for a body without a length, which ends with the stream.
        """
        self.reusable = False
        if self.complete:
            return True
        if not self.head_complete or "content-length" in self._headers:
            return False
        return not self._headers.get("transfer-encoding", "").lower().endswith("chunked")

    def answer(self, *, early: bool = False) -> StorageAnswer:
        """Return the answer; `early` is passed on."""
        return StorageAnswer(self.status, self._headers, b"" if self._body is None else b"".join(self._body), early)

    def on_message_begin(self) -> None:
        """Handle data after a complete answer: no request asked for it, and the next one must not receive it."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field. One that is repeated is kept as often."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Keep the head of the answer. Heads of interim answers are only counted (RFC 9110 15.2)."""
        if self.complete:
            return
        status, fields = self._parser.get_status_code(), self._fields
        if len(fields) > FIELDS_LIMIT:
            raise ValueError("too many fields")
        if status < 200:
            self._skip_interim(status)
        else:
            self.status, self.head_complete = status, True
            self._headers = merged(
                [(_lowered(name), value.decode("utf-8", "replace").rstrip()) for name, value in fields]
            )

    def on_body(self, data: bytes) -> None:
        """Keep the body up to the limit. A longer one is not read, so the connection is not reusable."""
        if self.complete:
            return
        body = self._body = self._body or []
        body.append(data[: ANSWER_LIMIT - self._kept])
        self._kept += len(body[-1])
        if self._kept == ANSWER_LIMIT:
            self.complete, self.reusable = True, False

    def on_message_complete(self) -> None:
        """Note that the answer is complete, unless it was an interim one."""
        if self.head_complete and not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()

    def _take_plain(self, data: bytes) -> bool:
        """Take a whole answer without the parser, and return True; return False if it is not a plain one."""
        lines = data.split(b"\r\n")
        status = _plain_status(lines[0])
        if not status or len(data) > HEAD_LIMIT or lines[-1] or lines[-2] or len(lines) - 3 > _PLAIN_FIELDS:
            return False
        try:
            headers = dict(map(_plain_field, lines[1:-2]))
        except ValueError:
            return False
        if headers.get("content-length") != "0" or headers.get("connection", "keep-alive") != "keep-alive":
            return False
        if len(headers) < len(lines) - 3 or not headers.keys().isdisjoint(_NOT_PLAIN):
            return False
        self.started = self.head_complete = self.complete = True
        self.status, self._headers = status, headers
        return True

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        if status == _SWITCHING_PROTOCOLS or self._interim > INTERIM_LIMIT:
            raise ValueError("an interim answer that was not requested")
        self.continue_received = self.continue_received or status == _CONTINUE
        self._fields.clear()

    def _check_size(self, size: int, in_body: bool) -> None:
        self._received += size
        if in_body:
            too_large = self._received > TOTAL_LIMIT
        else:
            # The last data may hold the end of the head and some of the body.
            too_large = self._received > HEAD_LIMIT and (not self.head_complete or self._head_size() > HEAD_LIMIT)
        if too_large:
            raise ExchangeError(FailureKind.NOT_HTTP)

    def _head_size(self) -> int:
        return sum(len(name) + len(value) for name, value in self._headers.items())


@functools.lru_cache(maxsize=64)
def _plain_status(line: bytes) -> int:
    """Return the status of a plain status line, 0 for any other line."""
    found = _PLAIN_STATUS.fullmatch(line)
    return 0 if found is None else int(found[1])


@functools.lru_cache(maxsize=512)
def _plain_field(line: bytes) -> tuple[str, str]:
    """Return name and value of a plain field. Raises ValueError for any other line."""
    found = _PLAIN_FIELD.fullmatch(line)
    if found is None:
        raise ValueError("not a plain field")
    return found[1].decode("ascii").lower(), found[2].decode("ascii").rstrip()


@functools.lru_cache(maxsize=512)
def _lowered(name: bytes) -> str:
    return name.decode("latin-1").lower()
