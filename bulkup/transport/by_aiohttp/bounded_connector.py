"""A connector of the aiohttp client with a bound on the open connections to all hosts together."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp.connector import Connection


class BoundedConnector(aiohttp.TCPConnector):
    """Closes the idle connections least recently used while more than `most_open` are open.

    aiohttp's own `limit` counts only connections in use, so it keeps some idle ones of every host.
    """

    def __init__(self, most_open: int, **options: Any) -> None:
        super().__init__(**options)
        self._most_open = most_open
        self._in_use = set[asyncio.Transport]()
        self._idle = dict[asyncio.Transport, None]()  # in the order of their last use

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Return an idle or a new connection, and make room for it."""
        connection = await super().connect(*arguments, **options)
        transport = connection.transport
        if transport is not None:  # else it was lost already
            self._idle.pop(transport, None)
            self._in_use.add(transport)
            connection.add_callback(lambda: self._released(transport))
        self._close_beyond_bound()
        return connection

    def _released(self, transport: asyncio.Transport) -> None:
        self._in_use.discard(transport)
        self._idle[transport] = None

    def _close_beyond_bound(self) -> None:
        while self._idle and len(self._idle) + len(self._in_use) > self._most_open:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.abort()  # an orderly close over TLS would wait for the server; a closed one is left alone
