"""Parts that all APIs share: errors, reading JSON bodies, faults, and the base of the two list APIs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from bulkup.localserver.context import ServerContext, credentials_match, request_origin
from bulkup.localserver.faults import Fault, FaultName, FaultPoint
from bulkup.localserver.server_limits import ServerLimits
from bulkup.localserver.signing_types import ServerOrigin


class ApiError(Exception):
    """An error answer of an API. Each API encodes it in its own format."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


async def read_body(request: web.Request, limits: ServerLimits) -> bytes:
    """Return the body. Raises ApiError: 413 if it is too large, 400 if it ends early, 408 if it is not sent in time."""
    try:
        async with asyncio.timeout(limits.body_timeout):
            return await request.read()
    except TimeoutError:
        raise ApiError(408, f"The body was not sent within {limits.body_timeout:g} seconds") from None
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, f"The body is larger than {limits.max_body_size} bytes") from None
    except (ConnectionError, web.RequestPayloadError):
        raise ApiError(400, "The body is shorter than its Content-Length") from None


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON body. Raises ApiError 400."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise ApiError(400, "The body is not valid JSON") from None


def as_integer(value: Any) -> int | None:
    """Return an integer of a JSON document, None for any other value. JSON makes no difference between 5.0 and 5."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


async def read_json(request: web.Request, limits: ServerLimits) -> Any:
    """Return the value of the request's JSON body. Raises ApiError as `read_body` and `parse_json` do."""
    return parse_json(await read_body(request, limits))


def apply_fault(fault: Fault | None) -> bool:
    """Raise the ApiError of the fault. Return whether the answer must be incomplete (`short-answer`)."""
    match fault and fault.name:
        case FaultName.RETRY_LATER:
            raise ApiError(429, "Too Many Requests", {"Retry-After": str(fault.retry_after)} if fault else {})
        case FaultName.STATUS_503:
            raise ApiError(503, "Service Unavailable")
        case FaultName.UNAUTHORIZED:
            raise ApiError(401, "Unauthorized")
    return fault is not None


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")


async def refuse(_request: web.Request, error: ApiError) -> web.Response:
    """Return the error answer of Magic Hour, the local API, and paths that no API has."""
    return json_answer({"message": error.message}, error.status, error.headers)


async def not_found(_request: web.Request) -> web.Response:
    """Answer requests for unknown paths below an API's root. They are never objects."""
    return json_answer({"message": "Not Found"}, 404)


class TicketListApi:
    """An API that takes a Bearer token and a list of files, and answers with tickets in the same order.

    `parse_request` returns the entries of a decoded body and raises ApiError. `create_ticket` returns the ticket of
    one entry. Errors are `{"message": ...}`. Answers without tickets, with `creates` False, are not counted.
    """

    def __init__(
        self,
        context: ServerContext,
        field: str,
        parse_request: Callable[[Any], Sequence[Any]],
        create_ticket: Callable[[ServerContext, ServerOrigin, Any], dict[str, Any] | None],
        *,
        creates: bool = True,
    ) -> None:
        self._context = context
        self._field = field
        self._parse_request = parse_request
        self._create_ticket = create_ticket
        self._creates = creates

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        self._context.counters.add(presign_calls=int(self._creates))
        try:
            tickets = await self._tickets(request)
        except ApiError as error:
            return await refuse(request, error)
        self._context.counters.add(tickets=len(tickets) if self._creates else 0)
        return json_answer({self._field: tickets})

    async def _tickets(self, request: web.Request) -> list[dict[str, Any] | None]:
        context = self._context
        if not credentials_match(request.headers.get("Authorization"), f"Bearer {context.config.token}"):
            raise ApiError(401, "Unauthorized")
        entries = self._parse_request(await read_json(request, context.limits))
        limit = context.limits.max_files_per_call
        if len(entries) > limit:
            raise ApiError(400, f"'{self._field}' may have at most {limit} entries in one call")
        if apply_fault(context.draw_fault(FaultPoint.PRESIGN, context.clock.now())):
            entries = entries[:-1]
        origin = request_origin(request)
        return [self._create_ticket(context, origin, entry) for entry in entries]
