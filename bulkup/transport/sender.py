"""What carries bytes to storage: one exchange of a request for an answer. Redirects and forms are not its business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import StorageAnswer

ANSWER_LIMIT = 64 * 1024  # bytes of an answer's body that are kept
EXPIRY = 60.0  # seconds for which a connection is kept without use
Headers = Mapping[str, str | Secret]
OnBytes = Callable[[int], None]


class Sender(Protocol):
    """Owns connections to storage between `__aenter__` and `__aexit__`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def exchange(
        self, method: str, url: SecretUrl, headers: Headers, body: Body, on_bytes: OnBytes
    ) -> StorageAnswer:
        """Send a body and return what was answered, whatever its status.

        `on_bytes` is told of the body's bytes as they go. Raises `ProblemError` when no answer came back or the URL
        leads where it must not, and the body's own error when that ended it.
        """
        ...
