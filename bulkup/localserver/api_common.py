"""What the APIs have in common: refusals, credentials, faults and bodies that fit into memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from bulkup.localserver.context import ServerContext, credentials_match, request_origin
from bulkup.localserver.faults import Fault, FaultName, FaultPoint
from bulkup.localserver.s3.signing_types import ServerOrigin

MAX_BODY_SIZE = 8 << 20  # bytes of an API request
BODY_PATIENCE = 60.0  # seconds for the whole body of an API request
MOST_FILES = 10_000  # in one call


class ApiError(Exception):
    """A refusal by an API; each API has a shape of its own for it."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


async def read_body(request: web.Request) -> bytes:
    """Return the body.

    Raises ApiError: 413 where it is too large, 400 where it ends early, 408 where it does not come.
    """
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            return await request.read()
    except TimeoutError:
        raise ApiError(408, f"The body did not come within {BODY_PATIENCE:g} seconds") from None
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, f"The body is larger than {MAX_BODY_SIZE} bytes") from None
    except (ConnectionError, web.RequestPayloadError):
        raise ApiError(400, "The body ended before its time") from None


def parse_json(body: bytes) -> Any:
    """Return what a body in JSON says. Raises ApiError 400."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise ApiError(400, "The body is not valid JSON") from None


def as_integer(value: Any) -> int | None:
    """Return a number of JSON that has no fraction, None for anything else: 5.0 is 5 there."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


async def read_json(request: web.Request) -> Any:
    """Return the decoded body. Raises ApiError 400 where it is not JSON and 413 where it is too large."""
    return parse_json(await read_body(request))


def apply_fault(fault: Fault | None) -> bool:
    """Raise the ApiError that the fault stands for; return whether the answer must be cut short."""
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
    """Answer with a refusal in the shape that Magic Hour's, ours, and that of paths without an API have."""
    return json_answer({"message": error.message}, error.status, error.headers)


async def not_found(_request: web.Request) -> web.Response:
    """Answer for paths below an API's root that no API has; they are never objects."""
    return json_answer({"message": "Not Found"}, 404)


class TicketListApi:
    """An API that takes a Bearer token and a list, and answers a list of tickets in the same order.

    `read` turns the decoded body into entries and raises ApiError; `ticket` makes the answer for one of them. Errors
    are `{"message": ...}`.
    """

    def __init__(
        self,
        context: ServerContext,
        field: str,
        read: Callable[[Any], Sequence[Any]],
        ticket: Callable[[ServerContext, ServerOrigin, Any], dict[str, Any]],
    ) -> None:
        self._context = context
        self._field = field
        self._read = read
        self._ticket = ticket

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        self._context.counters.add(presign_calls=1)
        try:
            tickets = await self._tickets(request)
        except ApiError as error:
            return await refuse(request, error)
        self._context.counters.add(tickets=len(tickets))
        return json_answer({self._field: tickets})

    async def _tickets(self, request: web.Request) -> list[dict[str, Any]]:
        context = self._context
        if not credentials_match(request.headers.get("Authorization"), f"Bearer {context.config.token}"):
            raise ApiError(401, "Unauthorized")
        entries = self._read(await read_json(request))
        if len(entries) > MOST_FILES:
            raise ApiError(400, f"'{self._field}' may hold {MOST_FILES} entries in one call")
        if apply_fault(context.draw(FaultPoint.PRESIGN, context.clock.now())):
            entries = entries[:-1]
        where = request_origin(request)
        return [self._ticket(context, where, entry) for entry in entries]
