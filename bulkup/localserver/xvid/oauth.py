"""Xvid's `POST /v1/oauth2/token/` (docs/contracts.md section 4): client credentials against a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import apply_fault, read_body
from bulkup.localserver.context import ServerContext, credentials_match
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.signed_tokens import TokenSigner
from bulkup.localserver.xvid import errors
from bulkup.localserver.xvid.endpoint import refuse, serve
from bulkup.localserver.xvid.parameters import parse_token_request

PATHS: Final = ("/v1/oauth2/token", "/v1/oauth2/token/")


class OAuthApi:
    """Hands out tokens of the mint, and knows them again."""

    def __init__(self, context: ServerContext, mint: TokenSigner) -> None:
        self._context = context
        self._mint = mint

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return refuse_other_methods([web.post(path, self.handle) for path in PATHS], refuse)

    def accepts(self, authorization: str) -> bool:
        """Say whether an Authorization header opens uploads: by a token of ours, or by the server's own."""
        scheme, _, token = authorization.partition(" ")
        config = self._context.config
        issued = self._mint.holds(token, config.client_secret, self._context.clock.now())
        return scheme == "Bearer" and (issued or credentials_match(token, config.token))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        return await serve(request, self._token)

    async def _token(self, request: web.Request, parameters: Mapping[str, str]) -> dict[str, Any]:
        asked = parse_token_request(request.headers.get("Content-Type", ""), await read_body(request), parameters)
        config, now = self._context.config, self._context.clock.now()
        matches = [
            credentials_match(asked.client_id, config.client_id),
            credentials_match(asked.client_secret, config.client_secret),
        ]
        if not all(matches):
            raise errors.invalid_client()
        apply_fault(self._context.draw(FaultPoint.API, now))
        # A token for other scopes is a good one that opens no uploads.
        credential = config.client_secret if asked.may_upload else ""
        return {"access_token": self._mint.issue(credential, now + asked.life), "expires_in": str(asked.life)}
