"""What all request handlers of one server share."""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass, field

from aiohttp import web

from bulkup.clock import Clock
from bulkup.localserver.faults import FaultPlan
from bulkup.localserver.presigned import Origin, SigningKey
from bulkup.localserver.state import Counters

DEFAULT_TTL = 3600  # seconds; Magic Hour and Move state none, an hour is what S3 presigners take by themselves


@dataclass(slots=True)
class Context:
    """The server's clock, keys, counters, credentials and faults. Credentials and faults may change while it runs."""

    clock: Clock
    key: SigningKey
    counters: Counters
    faults: FaultPlan
    token: str = field(repr=False)
    api_key: str = field(repr=False)
    url_ttl: float | None = None

    @property
    def ttl(self) -> int:
        """Lifetime of a new URL in whole seconds, at least one."""
        return DEFAULT_TTL if self.url_ttl is None else math.ceil(self.url_ttl)

    def accepts(self, authorization: str | None, expected: str) -> bool:
        """Compare a request's Authorization header with what it should be, in time that tells nothing."""
        given = (authorization or "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, expected.encode())


def origin(request: web.BaseRequest) -> Origin:
    """Return where the client sees this server."""
    return Origin(request.scheme, request.host.lower())
