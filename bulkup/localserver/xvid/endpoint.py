"""How every call of Xvid's API is answered: refusals in its shape, in the format that the caller wants."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from bulkup.localserver.api_common import ApiError
from bulkup.localserver.xvid import errors
from bulkup.localserver.xvid.answers import AnswerFormat, encode_answer, requested_format
from bulkup.localserver.xvid.parameters import parse_form_fields

# Takes a request and the parameters in its query; returns the answer's body. Raises ApiError.
CallHandler = Callable[[web.Request, Mapping[str, str]], Awaitable[dict[str, Any]]]

_log = logging.getLogger(__name__)


async def refuse(request: web.Request, error: ApiError) -> web.Response:
    """Answer with a refusal, whatever is asked."""

    async def refusing(_request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        raise error

    return await serve(request, refusing)


async def serve(request: web.Request, action: CallHandler) -> web.Response:
    """Answer one call by the action."""
    look, headers = AnswerFormat(), {}
    try:
        parameters = parse_form_fields(request.raw_path.partition("?")[2])
        look = requested_format(parameters, request.headers.get("Accept", ""))
        status, body = 200, await action(request, parameters)
    except ApiError as error:
        refusal = errors.translate_error(error)
        status, body, headers = refusal.status, errors.error_body(refusal), dict(error.headers)
    except OSError:
        _log.warning("a call of Xvid failed", exc_info=True)
        status, body = 500, errors.error_body(errors.internal_error())
    content, content_type = encode_answer(body, look)
    return web.Response(body=content, status=status, headers=headers, content_type=content_type)
