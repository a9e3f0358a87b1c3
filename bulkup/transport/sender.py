"""The interface of a sender: it carries one request to storage and returns the answer.

Redirects and forms are handled outside of it, in `transport.storage`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.bodies import Body
from bulkup.model.http import Headers, StorageAnswer

ANSWER_LIMIT = 64 * 1024  # bytes of an answer's body that are kept
KEEP_ALIVE = 60.0  # seconds that an idle connection is kept
OnBytes = Callable[[int], None]


class Sender(Protocol):
    """Owns connections to storage between `__aenter__` and `__aexit__`."""

    @property
    def round_trip(self) -> float | None:
        """The shortest time, in seconds, in which a direct connection was opened; None if it is unknown."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def exchange(
        self,
        method: str,
        url: SecretUrl,
        headers: Headers,
        body: Body,
        on_bytes: OnBytes,
        *,
        new_connection: bool = False,
    ) -> StorageAnswer:
        """Send a request and return its answer, with any status.

        `on_bytes` is called with the number of body bytes after each piece. With `new_connection`, the request is the
        first one of its connection. Raises `ProblemError` when no answer came
        or the host rules refuse the URL. When the body raised an error, that error is raised.
        """
        ...
