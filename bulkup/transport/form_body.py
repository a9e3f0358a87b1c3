"""A file as the last field of a multipart form (RFC 7578), for S3's form POST (docs/contracts.md section 4).

The form has exactly the given fields, because its policy covers each of them. Its length is known in advance, and the
file is streamed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Sequence

from bulkup.helpers.secrets import Secret
from bulkup.model.bodies import Body

# S3 inserts this file name into a key that holds `${filename}`. Providers refuse such keys, so the name is arbitrary.
_FILE_HEAD = (
    'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n'
)


class FormBody:
    """A `Body` of form fields followed by a file. It can be read again as often as the body of the file can."""

    def __init__(self, fields: Sequence[tuple[str, Secret]], file: Body) -> None:
        self._file = file
        # 128 random bits, which no file holds by chance.
        boundary = os.urandom(16).hex()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = _head(fields, boundary)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.size = len(self._head) + file.size + len(self._tail)
        self.in_file = False  # whether the last chunk was of the file

    def file_bytes_only(self, on_bytes: Callable[[int], None]) -> Callable[[int], None]:
        """Return a callback for the bytes of the form that passes only the bytes of the file to `on_bytes`."""

        def on_form_bytes(count: int) -> None:
            if self.in_file:
                on_bytes(count)
            elif count == self.size:  # the whole form was sent in one piece
                on_bytes(self._file.size)

        return on_form_bytes

    @property
    def data(self) -> bytes | None:
        """The whole form if the file is in memory, else None."""
        content = self._file.data
        return None if content is None else b"".join((self._head, content, self._tail))

    @property
    def failure(self) -> Exception | None:
        """The error that ended the file early, or None."""
        return self._file.failure

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """Yield the fields, the file, and the final boundary."""
        yield memoryview(self._head)
        self.in_file = True
        try:
            async with contextlib.aclosing(self._file.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self.in_file = False
        yield memoryview(self._tail)


def _head(fields: Sequence[tuple[str, Secret]], boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value.reveal()}\r\n'
        for name, value in fields
    ]
    return "".join([*parts, f"--{boundary}\r\n", _FILE_HEAD]).encode()


def _quoted(name: str) -> str:
    """Return a field's name, escaped as browsers do (RFC 7578 section 4.2, WHATWG HTML)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
