"""What crosses the border between providers and transport: HTTP requests and answers as plain values.

A provider composes an `ApiRequest` and reads an `ApiAnswer`; it never sees a socket. Transport carries them out and
knows nothing of services. So every adapter can be tested with values alone, and neither layer imports the other.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from bulkup.secrets import Secret


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call to a service's API. `path` is added to the base URL; `json` is sent as the body unless it is None."""

    method: str
    path: str
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    json: Any = None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the service's API answered. Header names are lower case; `received_at` is Unix time by our clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float

    def json(self) -> Any:
        """Return the decoded body. Raises ValueError when it is not JSON."""
        return orjson.loads(self.body)

    def server_time(self) -> float:
        """Return the service's own time (header Date), or ours where it sends none or nonsense."""
        try:
            return email.utils.parsedate_to_datetime(self.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return self.received_at


class ApiCall(Protocol):
    """Carries out one API request. Raises `ProblemError` (transient) when no whole answer came back."""

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        """Return the answer, whatever its status."""
        ...


@dataclass(frozen=True, slots=True)
class StorageAnswer:
    """What storage answered to the bytes. Header names are lower case; `body` is cut to the first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes
