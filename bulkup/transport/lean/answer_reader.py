"""Reads the answers that come over one connection, one for each request. No I/O; httptools does the parsing.

What is not kept within bounds is refused: the head of an answer, the number of interim answers before it, and the part
of its body that is kept.
"""

from __future__ import annotations

import functools

import httptools

from bulkup.model.http import StorageAnswer
from bulkup.transport.failures import FailureKind
from bulkup.transport.lean.exchange_error import ExchangeError
from bulkup.transport.sender import ANSWER_LIMIT

HEAD_LIMIT = 64 * 1024  # bytes of the head, those of interim answers with it
TOTAL_LIMIT = 1024**2  # bytes of all of it: a body that is kept whole is less, in chunks of a byte each
FIELDS_LIMIT = 256
INTERIM_LIMIT = 20
_CONTINUE, _SWITCHING = 100, 101


class AnswerReader:
    """The answer that is awaited. `begun`, `headed` and `done` say how far it is: any byte, its head, all of it.

    `status` is there with its head. `permitted` says that a 100 has come. `reusable` holds once it is done: whether the
    connection may carry another.
    """

    __slots__ = (
        "_body", "_came", "_fields", "_headers", "_interim", "_kept", "_parser",
        "begun", "done", "headed", "on_header", "permitted", "reusable", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self._fields = dict[bytes, bytes]()
        self.on_header = self._fields.__setitem__  # called for each field, so nothing of ours stands between
        self._parser = httptools.HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Await the answer of another request."""
        self._fields.clear()
        self._headers: dict[str, str] = {}
        self._body: list[bytes] | None = None
        self.status = self._came = self._interim = self._kept = 0
        self.begun = self.headed = self.done = self.permitted = False
        self.reusable = True

    def feed(self, data: bytes) -> bool:
        """Read what has come and say whether the answer is done. Raises `ExchangeError` for what is no HTTP."""
        self.begun = True
        inside = self.headed
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.done:
                raise ExchangeError(FailureKind.NOT_HTTP) from None
            self.reusable = False
        if not self.done or not inside:
            self._measure(len(data), inside)
        return self.done

    def ends_here(self) -> bool:
        """Say whether an answer is whole now that nothing more will come: one whose length its end alone tells."""
        self.reusable = False
        if self.done:
            return True
        if not self.headed or "content-length" in self._headers:
            return False
        return not self._headers.get("transfer-encoding", "").lower().endswith("chunked")

    def answer(self) -> StorageAnswer:
        """Return the answer."""
        return StorageAnswer(self.status, self._headers, b"" if self._body is None else b"".join(self._body))

    def on_message_begin(self) -> None:
        """Note what comes after the answer: nobody asked for it, and it must not answer what is asked next."""
        if self.done:
            self.reusable = False

    def on_headers_complete(self) -> None:
        """Take the head; an interim one is only counted (RFC 9110 15.2)."""
        if self.done:
            return
        status, fields = self._parser.get_status_code(), self._fields
        if len(fields) > FIELDS_LIMIT:
            raise ValueError("too many fields")
        if status < 200:
            self._skip(status)
        else:
            self.status, self.headed = status, True
            self._headers = {
                _lowered(name): value.decode("utf-8", "replace").rstrip() for name, value in fields.items()
            }

    def on_body(self, data: bytes) -> None:
        """Keep the beginning of the body; what is longer than that ends the connection."""
        if self.done:
            return
        body = self._body = self._body or []
        body.append(data[: ANSWER_LIMIT - self._kept])
        self._kept += len(body[-1])
        if self._kept == ANSWER_LIMIT:
            self.done, self.reusable = True, False

    def on_message_complete(self) -> None:
        """Note that it is done, unless it was an interim one."""
        if self.headed and not self.done:
            self.done = True
            self.reusable = self._parser.should_keep_alive()

    def _skip(self, status: int) -> None:
        self._interim += 1
        if status == _SWITCHING or self._interim > INTERIM_LIMIT:
            raise ValueError("an interim answer that was not asked for")
        self.permitted = self.permitted or status == _CONTINUE
        self._fields.clear()

    def _measure(self, size: int, inside: bool) -> None:
        self._came += size
        if inside:
            too_much = self._came > TOTAL_LIMIT
        else:
            # What came last may be of the body, where the head has ended.
            too_much = self._came > HEAD_LIMIT and (not self.headed or self._size_of_head() > HEAD_LIMIT)
        if too_much:
            raise ExchangeError(FailureKind.NOT_HTTP)

    def _size_of_head(self) -> int:
        return sum(len(name) + len(value) for name, value in self._headers.items())


@functools.lru_cache(maxsize=512)
def _lowered(name: bytes) -> str:
    return name.decode("latin-1").lower()
