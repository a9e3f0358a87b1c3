"""Sends the events to one page, as server-sent events."""

from __future__ import annotations

from typing import Any

import anyio
from aiohttp import web

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.guard import RequestError
from bulkup.reports.json_text import dumps


async def stream_events(request: web.Request, hub: EventHub, options: DashboardOptions) -> web.StreamResponse:
    """Send events until the page or the server ends. Raises `RequestError` if too many pages are open.

    A page that takes no event for a while, such as a frozen tab, must not keep its place. It connects again later.
    """
    if len(hub) >= options.most_streams:
        message = f"{options.most_streams} pages of the dashboard are open already"
        raise RequestError(429, "streams", message, "close some of them")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    with hub.subscribed() as subscriber:
        await response.prepare(request)
        try:
            await _write(response, event_text("hello", {"heartbeat": options.heartbeat}), options.stream_patience)
            while not subscriber.closed:
                events = await subscriber.take(options.heartbeat)
                text = b"".join(event_text(*event) for event in events) or event_text("alive", None)
                await _write(response, text, options.stream_patience)
            await response.write_eof()
        except ConnectionError:
            pass  # the page was closed
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
    return response


async def _write(response: web.StreamResponse, text: bytes, patience: float) -> None:
    with anyio.fail_after(patience):
        await response.write(text)


def event_text(kind: str, value: Any) -> bytes:
    """Return the bytes of an event. JSON has no line ends of its own."""
    return b"event: " + kind.encode() + b"\ndata: " + dumps(value) + b"\n\n"
