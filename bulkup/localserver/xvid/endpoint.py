"""Answers calls of Xvid's API in the requested format, errors too."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from bulkup.localserver.api_common import ApiError
from bulkup.localserver.xvid import api_errors
from bulkup.localserver.xvid.answer_encoding import AnswerFormat, encode_answer, requested_format
from bulkup.localserver.xvid.parameters import parse_form_fields

# Takes a request and the parameters of its query. Returns the body of the answer. Raises ApiError.
CallHandler = Callable[[web.Request, Mapping[str, str]], Awaitable[dict[str, Any]]]

_log = logging.getLogger(__name__)


async def refuse(request: web.Request, error: ApiError) -> web.Response:
    """Return an error answer in the format that the request asks for."""

    async def handler(_request: web.Request, _parameters: Mapping[str, str]) -> dict[str, Any]:
        raise error

    return await serve(request, handler)


async def serve(request: web.Request, handler: CallHandler) -> web.Response:
    """Answer one call with the body that the handler returns, or with the error that it raises."""
    answer_format, headers = AnswerFormat(), {}
    try:
        parameters = parse_form_fields(request.raw_path.partition("?")[2])
        answer_format = requested_format(parameters, request.headers.get("Accept", ""))
        status, body = 200, await handler(request, parameters)
    except ApiError as error:
        translated = api_errors.translate_error(error)
        status, body, headers = translated.status, api_errors.error_body(translated), dict(error.headers)
    except OSError:
        _log.warning("a call of Xvid failed", exc_info=True)
        status, body = 500, api_errors.error_body(api_errors.internal_error())
    content, content_type = encode_answer(body, answer_format)
    return web.Response(body=content, status=status, headers=headers, content_type=content_type)
