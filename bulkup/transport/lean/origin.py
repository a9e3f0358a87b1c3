"""What is the same for all requests to one origin: the host, the way there and the fixed part of a request's head."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from yarl import URL

from bulkup._version import __version__
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import is_authority
from bulkup.transport import headers as http_headers
from bulkup.transport.lean.connection_pool import IdleConnections
from bulkup.transport.sender import Headers

_OWN = {"User-Agent": f"bulkup/{__version__}", "Accept-Encoding": "identity"}
_OURS = frozenset({"content-length", "expect", "connection"})  # whatever a ticket says of them
_USUAL = frozenset({"PUT", "POST"})
_REMEMBERED = 100
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True, eq=False)
class Origin:
    """A scheme, host and port. `name` is how URLs write it, `authority` how a request does.

    `proxy` leads there, `before` then stands before a request's target and `proxy_lines` in its head. `permits` says
    whether the other side answers `Expect: 100-continue`, as far as is known. `blocks` are the fixed lines of a head by
    the names of the headers that a request brings, with those of them that are left out.
    """

    name: str
    scheme: str
    host: str
    port: int
    authority: str
    proxy: URL | None = field(default=None, repr=False)  # it may hold a password
    before: str = ""
    proxy_lines: str = field(default="", repr=False)
    permits: bool = True
    shelf: IdleConnections = field(default_factory=IdleConnections)
    blocks: dict[tuple[str, ...], tuple[str, frozenset[str]]] = field(default_factory=dict)

    def head(self, method: str, target: str, headers: Headers, size: int, *, asking: bool = False) -> bytes:
        """Return a request's head; `asking` for a 100 before the body. Raises ValueError for what makes no request."""
        if method not in _USUAL:
            http_headers.method(method)
        # It ends at any white space, and the request line with it.
        if not target.isascii() or target.split() != [target] or "\0" in target:
            raise ValueError("a target that cannot be sent")
        plain = http_headers.revealed(headers) if headers else {}
        names = tuple(plain)
        block, left_out = self.blocks.get(names) or self._block(names)
        lines = ""
        for name, value in plain.items():
            if name not in left_out:
                lines += f"{name}: {value}\r\n"
        if asking:
            lines += "Expect: 100-continue\r\n"
        return f"{method} {self.before}{target}{block}{lines}Content-Length: {size}\r\n\r\n".encode()

    def _block(self, names: tuple[str, ...]) -> tuple[str, frozenset[str]]:
        given = {name.lower() for name in names}
        if len(given) < len(names) or "transfer-encoding" in given:
            raise ValueError("headers that contradict one another")
        own = {"Host": self.authority, **_OWN}
        lines = [f"{name}: {value}\r\n" for name, value in own.items() if name.lower() not in given]
        block = f" HTTP/1.1\r\n{''.join(lines)}{self.proxy_lines}"
        left_out = frozenset(name for name in names if name.lower() in _OURS)
        if len(self.blocks) < _REMEMBERED:
            self.blocks[names] = block, left_out
        return block, left_out


def origin_of(url: SecretUrl, proxy: str | None) -> Origin:
    """Return the origin of a URL, to be reached by a proxy or without. Raises ValueError where a URL has none."""
    name = url.origin
    scheme, _, authority = name.partition("://")
    if not url.reveal().startswith(name) or scheme.lower() not in _PORTS or not is_authority(authority):
        raise ValueError("no URL that can be requested")
    parts = URL(name, encoded=True)
    host, port = parts.raw_host, parts.port
    if not host or not port or parts.host_port_subcomponent is None:
        raise ValueError("no URL that can be requested")
    origin = Origin(name, parts.scheme, host, port, parts.host_port_subcomponent)
    if proxy is not None:
        origin.proxy = URL(proxy)
        if origin.scheme == "http":
            origin.before = f"http://{origin.authority}"
            origin.proxy_lines = proxy_authorization(origin.proxy)
    return origin


def target_of(rest: str) -> str:
    """Return what a request line asks for, from what follows the origin in a URL."""
    target = rest.partition("#")[0]
    return target if target.startswith("/") else f"/{target}"


def proxy_authorization(proxy: URL) -> str:
    """Return the line that tells a proxy who asks, empty where its URL names nobody (RFC 7617)."""
    if proxy.user is None:
        return ""
    told = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return f"Proxy-Authorization: Basic {told}\r\n"
