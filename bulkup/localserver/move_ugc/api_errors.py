"""The errors of Move's API that have a status of their own, in the shape of AppSync (docs/contracts.md section 2)."""

from __future__ import annotations

from aiohttp import web

from bulkup.localserver.api_common import ApiError, json_answer

UNAUTHORIZED = "You are not authorized to make this call."

_ERROR_TYPES = {
    400: "MalformedHttpRequestException",
    401: "UnauthorizedException",
    405: "MethodNotAllowedException",
    408: "RequestTimeoutException",
    413: "RequestEntityTooLargeException",
    429: "TooManyRequestsException",
    501: "NotImplementedException",
    503: "ServiceUnavailableException",
}


async def refuse(_request: web.Request, error: ApiError) -> web.Response:
    """Answer with a refusal that has a status of its own, in the shape of AppSync."""
    message = UNAUTHORIZED if error.status == 401 else error.message
    body = {"errors": [{"errorType": _ERROR_TYPES[error.status], "message": message}]}
    return json_answer(body, error.status, error.headers)
