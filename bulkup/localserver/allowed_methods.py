"""405 for the methods that an API's path does not have (RFC 9110 15.5.6), in the shape of the API whose path it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from bulkup.localserver.api_common import ApiError

# Answers a request with a refusal.
RefusalHandler = Callable[[web.Request, ApiError], Awaitable[web.Response]]


def refuse_other_methods(routes: Sequence[web.RouteDef], refuse: RefusalHandler) -> list[web.RouteDef]:
    """Return the routes, and for each of their paths one more that refuses every other method."""
    methods: dict[str, list[str]] = {}
    for route in routes:
        methods.setdefault(route.path, []).extend(["GET", "HEAD"] if route.method == "GET" else [route.method])
    return [*routes, *(web.route("*", path, _refusing(have, refuse)) for path, have in methods.items())]


def _refusing(have: Sequence[str], refuse: RefusalHandler) -> Handler:
    error = ApiError(405, "Method Not Allowed", {"Allow": ", ".join(sorted(have))})

    async def handle(request: web.Request) -> web.Response:
        return await refuse(request, error)

    return handle
