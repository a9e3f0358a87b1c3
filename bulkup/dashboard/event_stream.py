"""Sends the events to one page, as server-sent events."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.guard import RequestError
from bulkup.reports.json_text import dumps


async def stream_events(request: web.Request, hub: EventHub, options: DashboardOptions) -> web.StreamResponse:
    """Send events until the page or the server ends. Raises `RequestError` if too many pages are open."""
    if len(hub) >= options.most_streams:
        message = f"{options.most_streams} pages of the dashboard are open already"
        raise RequestError(429, "streams", message, "close some of them")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    with hub.subscribed() as subscriber:
        await response.prepare(request)
        try:
            await response.write(event_text("hello", {"heartbeat": options.heartbeat}))
            while not subscriber.closed:
                events = await subscriber.take(options.heartbeat)
                await response.write(b"".join(event_text(*event) for event in events) or event_text("alive", None))
            await response.write_eof()
        except ConnectionError:
            pass  # the page was closed
    return response


def event_text(kind: str, value: Any) -> bytes:
    """Return the bytes of an event. JSON has no line ends of its own."""
    return b"event: " + kind.encode() + b"\ndata: " + dumps(value) + b"\n\n"
