"""Limits of the embedded server: how much clients may send, and how long it waits for them."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits of one server, with the defaults that docs/server.md documents. Times are in seconds, sizes in bytes."""

    max_body_size: int = 8 << 20
    """Largest body of an API call."""

    body_timeout: float = 60.0
    """Time for the whole body of an API call."""

    max_files_per_call: int = 10_000
    """Most files in one API call of Magic Hour or the local API."""

    max_records: int = 100_000
    """Newest files and uploads that each API finds again. A server may hand out millions."""

    headers_timeout: float = 75.0
    """Time from connecting, or from the last answer, until all headers of a request have arrived.

    More than bulkup's own client keeps an idle connection.
    """

    idle_timeout: float = 120.0
    """Time in which a client must send or take at least one byte of an object."""

    linger_timeout: float = 2.0
    """Time in which the rest of a refused body is read and dropped."""

    close_timeout: float = 5.0
    """Time for requests in progress when the server closes."""

    lock_timeout: float = 10.0
    """Time to wait for another server to release the store. After a killed run its server needs a moment to end."""
