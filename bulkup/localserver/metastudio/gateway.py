"""The gateway of MetaStudio: it authenticates calls before their bodies are parsed (docs/contracts.md section 3)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from bulkup.localserver.api_common import ApiError, read_body
from bulkup.localserver.context import ServerContext, credentials_match, received_request
from bulkup.localserver.metastudio import api_errors, sdk_signature
from bulkup.localserver.metastudio.api_errors import MetaStudioError
from bulkup.localserver.signed_tokens import TokenSigner
from bulkup.localserver.signing_types import ReceivedRequest

# Takes an authenticated request and its body. Returns the body of the answer, or None. Raises ApiError.
CallHandler = Callable[[web.Request, bytes], Awaitable[dict[str, Any] | None]]

_log = logging.getLogger(__name__)


class Gateway:
    """Authenticates calls by signature or token, and encodes answers and errors."""

    def __init__(self, context: ServerContext, tokens: TokenSigner) -> None:
        self._context = context
        self._tokens = tokens

    async def serve(self, request: web.Request, handler: CallHandler) -> web.Response:
        """Authenticate a call and answer it. Every answer has an X-Request-Id and the Date of the server's clock."""
        try:
            return self._answer(200, await handler(request, await self._authenticate(request)))
        except ApiError as error:
            return await self.refuse(request, error)
        except OSError:
            _log.warning("a call of MetaStudio failed", exc_info=True)
            return await self.refuse(request, api_errors.internal())

    async def refuse(self, _request: web.Request, error: ApiError) -> web.Response:
        """Return the error answer. A 429 of this gateway has no Retry-After."""
        translated = api_errors.translate_error(error)
        response = self._answer(
            translated.status, {"error_code": translated.code, "error_msg": translated.message}, translated
        )
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response

    def _answer(
        self, status: int, body: dict[str, Any] | None, translated: MetaStudioError | None = None
    ) -> web.Response:
        request_id = secrets.token_hex(16)
        headers = {"X-Request-Id": request_id, "Date": self._context.date}
        if body is None:
            return web.Response(status=status, headers=headers)
        if translated is not None and translated.by_gateway:
            body |= {"request_id": request_id}
        return web.Response(
            body=orjson.dumps(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
        )

    async def _authenticate(self, request: web.Request) -> bytes:
        """Authenticate a call and return its body. Raises ApiError."""
        body = await read_body(request, self._context.limits)
        call = received_request(request)
        if "authorization" in call.headers:
            self._check_signature(call, body)
        else:
            self._check_token(call.headers.get("x-auth-token"))
        if request.match_info["project_id"] != self._context.config.project_id:
            raise api_errors.wrong_project()
        if not call.headers.get("x-app-userid", "").isascii():
            raise api_errors.invalid_parameter("X-App-UserId must be in ASCII")
        return body

    def _check_signature(self, call: ReceivedRequest, body: bytes) -> None:
        config = self._context.config
        try:
            sdk_signature.verify(call, body, config.access_key, config.secret_key, self._context.clock.now())
        except sdk_signature.SignatureError as error:
            raise api_errors.unauthorized(str(error)) from None
        token = call.headers.get("x-security-token")
        if token is not None and not credentials_match(token, config.security_token):
            raise api_errors.unauthorized(
                "verify aksk signature fail, the security token is not that of the access key"
            )

    def _check_token(self, token: str | None) -> None:
        if token is None:
            raise api_errors.unauthorized("x-auth-token not found")
        config = self._context.config
        issued = self._tokens.is_valid(token, config.iam_password, self._context.clock.now())
        if not (issued or credentials_match(token, config.token)):
            raise api_errors.invalid_token()
