"""The common data of all requests to one origin: host, proxy, idle connections, and the fixed part of a head."""

from __future__ import annotations

import base64
from dataclasses import field

from yarl import URL

from bulkup._version import __version__
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import Headers, is_authority
from bulkup.transport import headers as http_headers
from bulkup.transport.lean.connection_pool import IdleConnections

_DEFAULT_HEADERS = {"User-Agent": f"bulkup/{__version__}", "Accept-Encoding": "identity"}
_RESERVED_HEADERS = frozenset({"content-length", "expect", "connection"})  # the sender sets them, not a ticket
_USUAL_METHODS = frozenset({"PUT", "POST"})
_MAX_TEMPLATES = 100
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True, eq=False)
class Origin:
    """A scheme, host and port. `name` is the origin as URLs write it, `authority` as the Host header writes it.

    Requests go through `proxy` if it is set; `target_prefix` then precedes the target, and `proxy_lines` are part of
    the head. `supports_continue` is whether the server answers `Expect: 100-continue`, as far as is known.
    `templates` caches the fixed lines of a head by the names of a request's headers, with the names to leave out.
    """

    name: str
    scheme: str
    host: str
    port: int
    authority: str
    proxy: URL | None = field(default=None, repr=False)  # it may hold a password
    target_prefix: str = ""
    proxy_lines: str = field(default="", repr=False)
    supports_continue: bool = True
    idle: IdleConnections = field(default_factory=IdleConnections)
    templates: dict[tuple[str, ...], tuple[str, frozenset[str]]] = field(default_factory=dict)

    def head(self, method: str, target: str, headers: Headers, size: int, *, expect_continue: bool = False) -> bytes:
        """Return the head of a request with a body of `size` bytes. Raises ValueError for an invalid request."""
        if method not in _USUAL_METHODS:
            http_headers.checked_method(method)
        # White space would end the target, and with it the request line.
        if not (target.isascii() and target.isprintable()) or " " in target or not target:
            raise ValueError("a target that cannot be sent")
        plain = http_headers.reveal(headers) if headers else {}
        names = tuple(plain)
        template, left_out = self.templates.get(names) or self._template(names)
        lines = ""
        for name, value in plain.items():
            if name not in left_out:
                lines += f"{name}: {value}\r\n"
        if expect_continue:
            lines += "Expect: 100-continue\r\n"
        return f"{method} {self.target_prefix}{target}{template}{lines}Content-Length: {size}\r\n\r\n".encode()

    def _template(self, names: tuple[str, ...]) -> tuple[str, frozenset[str]]:
        given = {name.lower() for name in names}
        if len(given) < len(names) or "transfer-encoding" in given:
            raise ValueError("headers that contradict one another")
        defaults = {"Host": self.authority, **_DEFAULT_HEADERS}
        lines = [f"{name}: {value}\r\n" for name, value in defaults.items() if name.lower() not in given]
        template = f" HTTP/1.1\r\n{''.join(lines)}{self.proxy_lines}"
        left_out = frozenset(name for name in names if name.lower() in _RESERVED_HEADERS)
        if len(self.templates) < _MAX_TEMPLATES:
            self.templates[names] = template, left_out
        return template, left_out


def origin_of(url: SecretUrl, proxy: str | None) -> Origin:
    """Return the origin of a URL, reached through a proxy or directly. Raises ValueError for a URL without one."""
    name = url.origin
    scheme, _, authority = name.partition("://")
    if not url.reveal().startswith(name) or scheme.lower() not in _PORTS or not is_authority(authority):
        raise ValueError("not a URL that can be requested")
    parts = URL(name, encoded=True)
    host, port = parts.raw_host, parts.port
    if not host or not port or parts.host_port_subcomponent is None:
        raise ValueError("not a URL that can be requested")
    origin = Origin(name, parts.scheme, host, port, parts.host_port_subcomponent)
    if proxy is not None:
        origin.proxy = URL(proxy)
        if origin.scheme == "http":
            origin.target_prefix = f"http://{origin.authority}"
            origin.proxy_lines = proxy_authorization(origin.proxy)
    return origin


def target_of(rest: str) -> str:
    """Return the target of a request line, from the part of a URL after its origin."""
    target = rest.partition("#")[0]
    return target if target.startswith("/") else f"/{target}"


def proxy_authorization(proxy: URL) -> str:
    """Return the header line with the proxy's user and password, empty if its URL has none (RFC 7617)."""
    if proxy.user is None:
        return ""
    credentials = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return f"Proxy-Authorization: Basic {credentials}\r\n"
