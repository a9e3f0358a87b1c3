"""Applies the rules of access to every request, turns errors into answers, and adds the headers of security."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from bulkup.dashboard.access import HEADERS, AccessRules
from bulkup.errors import BulkupError
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

_log = logging.getLogger(__name__)


class RequestError(Exception):
    """A request that cannot be answered: status, a word for programs, a text for people, and the next step."""

    def __init__(self, status: int, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.hint = hint


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return an answer in JSON that no cache keeps."""
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=dumps(value), status=status, content_type="application/json", headers=headers)


def error_response(status: int, kind: str, message: str, hint: str = "") -> web.Response:
    """Return the answer for an error."""
    error = {"kind": kind, "message": printable(message), "hint": printable(hint)}
    return json_response({"error": error}, status)


def guard(rules: Callable[[], AccessRules]) -> Middleware:
    """Return the middleware of the whole application. The rules are known when its port is."""

    @web.middleware
    async def guarded(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        refusal = rules().refusal(request.method, request.path, request.headers)
        if refusal is not None:
            return error_response(refusal.status, refusal.kind, refusal.message)
        return await _answered(request, handler)

    return guarded


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers of security to any answer, also to one that is sent piece by piece."""
    response.headers.update(HEADERS)


async def _answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as error:
        return error_response(error.status, error.kind, error.message, error.hint)
    except BulkupError as error:
        return error_response(409, "journal", error.message, error.hint)
    except web.HTTPException as error:
        return error_response(error.status, "request", error.reason)
    except Exception:  # noqa: BLE001  # one request must not end the server, and its answer has the headers too
        _log.exception("a request of the page failed")
        return error_response(500, "internal", "the dashboard met an error", "its terminal shows the details")
