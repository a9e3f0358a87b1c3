"""What all request handlers of one server share."""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass

from aiohttp import web

from bulkup.helpers.clock import Clock
from bulkup.localserver.faults import Fault, FaultName, FaultPlan, FaultPoint
from bulkup.localserver.s3.signing_types import ReceivedRequest, ServerOrigin, SigningKey
from bulkup.localserver.server_config import ServerConfig
from bulkup.localserver.server_state import ServerCounters

DEFAULT_URL_TTL = 3600  # seconds; Magic Hour and Move state none, an hour is what S3 presigners take by themselves


@dataclass(slots=True)
class ServerContext:
    """The server's clock, keys, counters, settings and faults. Credentials and faults may change while it runs.

    `hits` counts by name how often each fault came to pass.
    """

    clock: Clock
    key: SigningKey
    counters: ServerCounters
    hits: ServerCounters
    faults: FaultPlan
    config: ServerConfig

    def draw(self, point: FaultPoint, now: float) -> Fault | None:
        """Return the fault that a request meets, and count it; a wrong ETag is counted where it is told."""
        fault = self.faults.draw(point, now)
        if fault is not None and fault.name is not FaultName.WRONG_ETAG:
            self.hits.add(**{fault.name: 1})
        return fault

    @property
    def ttl(self) -> int:
        """Lifetime of a new URL of a service that states none, in whole seconds."""
        return self.lifetime(DEFAULT_URL_TTL)

    def lifetime(self, default: int) -> int:
        """Lifetime of a new URL in whole seconds, at least one; `default` is the service's own."""
        return default if self.config.url_ttl is None else math.ceil(self.config.url_ttl)


def credentials_match(given: str | None, expected: str) -> bool:
    """Compare a credential of a request with what it should be, in time that tells nothing."""
    return hmac.compare_digest((given or "").encode("utf-8", "surrogateescape"), expected.encode())


def request_origin(request: web.BaseRequest) -> ServerOrigin:
    """Return where the client sees this server."""
    return ServerOrigin(request.scheme, request.host.lower())


def received_request(request: web.BaseRequest) -> ReceivedRequest:
    """Return the request's line and headers as plain values."""
    path, _, query = request.raw_path.partition("?")
    headers: dict[str, str] = {}
    for written, value in request.headers.items():
        name = written.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return ReceivedRequest(request.method, path, query, headers)
