"""The connections of browsers, and of anything else that finds the port.

aiohttp answers a malformed request by itself: without the headers of security, and with a quotation of the request.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bulkup.dashboard.access import HEADERS
from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.guard import error_response

_log = logging.getLogger("bulkup.dashboard.http")


class PageConnection(web.RequestHandler):
    """A connection whose answers all have the headers of security, also those to malformed requests."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer for an error. The connection is closed afterwards."""
        super().handle_error(request, status, exc, message)  # logs it
        response = error_response(status, "request", "the dashboard does not understand the request")
        response.headers.update(HEADERS)
        response.force_close()
        return response


async def serve(server: web.Server, listener: socket.socket, options: DashboardOptions) -> asyncio.Server:
    """Accept connections for a server. Those beyond `most_connections` are closed at once."""
    loop = asyncio.get_running_loop()
    values: dict[str, Any] = {"logger": _log, "access_log": None, "keepalive_timeout": options.idle_connection}

    def connection() -> asyncio.BaseProtocol:
        if len(server.connections) >= options.most_connections:
            return _Refused()
        return PageConnection(server, loop=loop, **values)

    return await loop.create_server(connection, sock=listener)


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


def _no_malformed_request(record: logging.LogRecord) -> bool:
    """Keep malformed requests out of the log: aiohttp quotes them, and they may contain the token."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_log.addFilter(_no_malformed_request)
