"""The body of a message between coordinator and worker. It holds tickets and credentials, so its text is a mask.

Dask logs and shows the representation of values. This one says only how long the body is. Unlike the secret types, it
can be pickled: that is how Dask carries it, inside of TLS.
"""

from __future__ import annotations

import marshal
from typing import Any, Self


class SealedBody:
    """Bytes that are never printed."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return the body of plain values: tuples, lists, dicts, text, bytes, numbers, None."""
        return cls(marshal.dumps(value))

    def value(self) -> Any:
        """Return the plain values. Both sides run the same Python, which is checked before."""
        return marshal.loads(self.content)  # noqa: S302  # Dask's peers may run any code anyway

    def __len__(self) -> int:
        return len(self.content)

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes>"

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self.content,)
