"""Answers 405 for methods that a path does not support (RFC 9110 15.5.6), in the error format of the path's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from bulkup.localserver.api_common import ApiError

# Returns the error answer of an API.
RefusalHandler = Callable[[web.Request, ApiError], Awaitable[web.Response]]


def refuse_other_methods(routes: Sequence[web.RouteDef], refuse: RefusalHandler) -> list[web.RouteDef]:
    """Return the routes, and one more for each of their paths, which refuses all other methods."""
    methods: dict[str, list[str]] = {}
    for route in routes:
        methods.setdefault(route.path, []).extend(["GET", "HEAD"] if route.method == "GET" else [route.method])
    return [*routes, *(web.route("*", path, _refuse_with(allowed, refuse)) for path, allowed in methods.items())]


def _refuse_with(allowed: Sequence[str], refuse: RefusalHandler) -> Handler:
    error = ApiError(405, "Method Not Allowed", {"Allow": ", ".join(sorted(allowed))})

    async def handle(request: web.Request) -> web.Response:
        return await refuse(request, error)

    return handle
