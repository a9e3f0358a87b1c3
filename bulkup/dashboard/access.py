"""Decides whether the dashboard answers a request.

Three independent checks protect it. `Host` must be a name of the loopback address: a page of another site, whose name
was made to point here (DNS rebinding), gets nothing. Requests for data carry the token as a bearer token, and a
browser never adds one by itself. An action must come from the dashboard's own page, by `Origin` and `Sec-Fetch-Site`.

Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret

API = "/api/"
_READING = frozenset({"GET", "HEAD"})
_SAME_ORIGIN = frozenset({"same-origin", "none"})  # "none": the user entered the address
_BEARER = "Bearer "

HEADERS: Mapping[str, str] = {
    # Nothing is loaded from elsewhere, no code or style stands in the page itself, and no text can become markup.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: the status of the answer, a word for programs, and a text for people."""

    status: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The token of the server, and the values of `Host` that it accepts."""

    token: Secret
    hosts: frozenset[str]

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request is refused, None if it is accepted. The names of `headers` are in their usual case."""
        host = headers.get("Host", "").lower()
        if host not in self.hosts:
            return Refusal(
                403, "host", "this name is not one of the dashboard; open the address that the command printed"
            )
        if headers.get("Sec-Fetch-Site", "none") not in _SAME_ORIGIN and path.startswith(API):
            return Refusal(403, "origin", "the request comes from another site")
        if method not in _READING and headers.get("Origin", "").lower() != f"http://{host}":
            return Refusal(403, "origin", "the request does not come from the dashboard's page")
        if path.startswith(API) and not self._has_token(headers.get("Authorization", "")):
            return Refusal(401, "token", "the token is missing, or it belongs to an earlier start of the dashboard")
        return None

    def _has_token(self, given: str) -> bool:
        wanted = _BEARER + self.token.reveal()
        return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def loopback_hosts(port: int) -> frozenset[str]:
    """Return the values of `Host` with which a browser asks this machine at a port."""
    names = ("127.0.0.1", "localhost", "[::1]")
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())
