"""A file as the last field of a multipart form (RFC 7578), as S3's form POST wants it (docs/contracts.md section 4).

Nothing is added to the fields and none is left out: every one of them is covered by the form's policy. The length is
known beforehand, since the parts around the file are, and the file is streamed.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence

from bulkup.helpers.secrets import Secret
from bulkup.model.bodies import Body

Fields = Sequence[tuple[str, Secret]]
# S3 puts the part's file name in where a key asks for `${filename}`; a provider refuses such keys, so it tells nothing.
_FILE_HEAD = (
    'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n'
)


class FormBody:
    """The form around a file's bytes; a `Body` of its own. It can be started anew as often as the file's can."""

    def __init__(self, fields: Fields, file: Body) -> None:
        self._file = file
        # 128 random bits, so that no file holds it.
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = _head(fields, boundary)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.size = len(self._head) + file.size + len(self._tail)
        self.in_file = False  # whether what `chunks` yielded last is of the file

    def counting(self, of_file: Callable[[int], None]) -> Callable[[int], None]:
        """Return what is to be told of the form's bytes as they go; `of_file` is told of the file's."""

        def of_form(count: int) -> None:
            if self.in_file:
                of_file(count)
            elif count == self.size:  # all of it at once
                of_file(self._file.size)

        return of_form

    @property
    def data(self) -> bytes | None:
        """The whole form, where the file is in memory."""
        inside = self._file.data
        return None if inside is None else b"".join((self._head, inside, self._tail))

    @property
    def failure(self) -> Exception | None:
        """The error that ended the file's bytes early."""
        return self._file.failure

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the fields, the file, and what ends the form."""
        yield memoryview(self._head)
        self.in_file = True
        try:
            async with contextlib.aclosing(self._file.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self.in_file = False
        yield memoryview(self._tail)


def _head(fields: Fields, boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value.reveal()}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, f"--{boundary}\r\n", _FILE_HEAD]).encode()


def _quoted(name: str) -> str:
    """Return a field's name with what would end it escaped, as browsers do (RFC 7578 section 4.2, WHATWG HTML)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
