"""Xvid's `POST /v1/oauth2/token/` (docs/contracts.md section 4): issues a token for client credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import apply_fault, read_body
from bulkup.localserver.context import ServerContext, credentials_match
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.signed_tokens import TokenSigner
from bulkup.localserver.xvid import api_errors
from bulkup.localserver.xvid.endpoint import refuse, serve
from bulkup.localserver.xvid.parameters import parse_token_request

PATHS: Final = ("/v1/oauth2/token", "/v1/oauth2/token/")


class OAuthApi:
    """Issues tokens, and verifies the tokens of calls."""

    def __init__(self, context: ServerContext, tokens: TokenSigner) -> None:
        self._context = context
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return refuse_other_methods([web.post(path, self.handle) for path in PATHS], refuse)

    def accepts(self, authorization: str) -> bool:
        """Return whether an Authorization header allows uploads: with an issued token, or with the server's `token`."""
        scheme, _, token = authorization.partition(" ")
        config = self._context.config
        issued = self._tokens.is_valid(token, config.client_secret, self._context.clock.now())
        return scheme == "Bearer" and (issued or credentials_match(token, config.token))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        return await serve(request, self._token)

    async def _token(self, request: web.Request, parameters: Mapping[str, str]) -> dict[str, Any]:
        body = await read_body(request, self._context.limits)
        requested = parse_token_request(request.headers.get("Content-Type", ""), body, parameters)
        config, now = self._context.config, self._context.clock.now()
        matches = [
            credentials_match(requested.client_id, config.client_id),
            credentials_match(requested.client_secret, config.client_secret),
        ]
        if not all(matches):
            raise api_errors.invalid_client()
        apply_fault(self._context.draw_fault(FaultPoint.API, now))
        # A token for other scopes is issued too, but allows no uploads.
        credential = config.client_secret if requested.may_upload else ""
        return {"access_token": self._tokens.issue(credential, now + requested.ttl), "expires_in": str(requested.ttl)}
