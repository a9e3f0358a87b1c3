"""The state that all request handlers of one server share, and functions on their requests."""

from __future__ import annotations

import hmac
import math
from email.utils import formatdate
from functools import lru_cache

from aiohttp import web

from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.faults import Fault, FaultName, FaultPlan, FaultPoint
from bulkup.localserver.server_config import ServerConfig
from bulkup.localserver.server_limits import ServerLimits
from bulkup.localserver.server_state import ServerCounters
from bulkup.localserver.signing_types import ReceivedRequest, ServerOrigin, SigningKey

DEFAULT_URL_TTL = 3600  # seconds; the default of S3 presigners, for Magic Hour and Move, which document none


@dataclass(slots=True)
class ServerContext:
    """The server's clock, keys, counters, settings, limits and faults.

    Credentials (in `config`) and faults may change while the server runs. `fault_counters` counts the applied faults
    by name. `ended_tokens` are the tokens of the user's sessions that are over.
    """

    clock: Clock
    key: SigningKey
    counters: ServerCounters
    fault_counters: ServerCounters
    faults: FaultPlan
    config: ServerConfig
    limits: ServerLimits
    ended_tokens: frozenset[str] = frozenset()

    @property
    def user_key(self) -> SigningKey:
        """The key of the user who signs requests to the store, as for provider `s3`."""
        config = self.config
        ids = config.access_key, config.access_key
        return SigningKey(*ids, config.secret_key, config.security_token, self.ended_tokens)

    @property
    def date(self) -> str:
        """The header `Date` of an answer, by the server's clock."""
        return _http_date(int(self.clock.now()))

    def draw_fault(self, point: FaultPoint, now: float) -> Fault | None:
        """Return the fault to apply to a request, and count it. A wrong ETag is counted when it is answered."""
        fault = self.faults.draw(point, now)
        if fault is not None and fault.name is not FaultName.WRONG_ETAG:
            self.fault_counters.add(**{fault.name: 1})
        return fault

    def url_ttl(self, default: int = DEFAULT_URL_TTL) -> int:
        """Return the lifetime of a new URL in whole seconds, at least one. `default` is the service's own."""
        return default if self.config.url_ttl is None else math.ceil(self.config.url_ttl)


@lru_cache(maxsize=4)
def _http_date(moment: int) -> str:
    return formatdate(moment, usegmt=True)


def credentials_match(given: str | None, expected: str) -> bool:
    """Compare a credential of a request with the expected one, in constant time."""
    return hmac.compare_digest((given or "").encode("utf-8", "surrogateescape"), expected.encode())


def request_origin(request: web.BaseRequest) -> ServerOrigin:
    """Return scheme and host under which the client reached this server."""
    return ServerOrigin(request.scheme, request.host.lower())


def received_request(request: web.BaseRequest) -> ReceivedRequest:
    """Return the request line and the headers as plain values."""
    path, _, query = request.raw_path.partition("?")
    headers: dict[str, str] = {}
    for written, value in request.headers.items():
        name = written.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return ReceivedRequest(request.method, path, query, headers)
