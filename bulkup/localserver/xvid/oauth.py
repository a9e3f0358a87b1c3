"""Xvid's `POST /v1/oauth2/token/` (docs/contracts.md section 4): client credentials against a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from bulkup.localserver.api_common import meet, read_body
from bulkup.localserver.context import Context, same
from bulkup.localserver.faults import Point
from bulkup.localserver.methods import only
from bulkup.localserver.signed_tokens import Mint
from bulkup.localserver.xvid import errors
from bulkup.localserver.xvid.desk import refuse, serve
from bulkup.localserver.xvid.fields import read_token_request

PATHS: Final = ("/v1/oauth2/token", "/v1/oauth2/token/")


class OAuthApi:
    """Hands out tokens of the mint, and knows them again."""

    def __init__(self, context: Context, mint: Mint) -> None:
        self._context = context
        self._mint = mint

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return only([web.post(path, self.handle) for path in PATHS], refuse)

    def accepts(self, authorization: str) -> bool:
        """Say whether an Authorization header opens uploads: by a token of ours, or by the server's own."""
        scheme, _, token = authorization.partition(" ")
        config = self._context.config
        issued = self._mint.holds(token, config.client_secret, self._context.clock.now())
        return scheme == "Bearer" and (issued or same(token, config.token))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        return await serve(request, self._token)

    async def _token(self, request: web.Request, parameters: Mapping[str, str]) -> dict[str, Any]:
        asked = read_token_request(request.headers.get("Content-Type", ""), await read_body(request), parameters)
        config, now = self._context.config, self._context.clock.now()
        matches = [same(asked.client_id, config.client_id), same(asked.client_secret, config.client_secret)]
        if not all(matches):
            raise errors.invalid_client()
        meet(self._context.draw(Point.API, now))
        # A token for other scopes is a good one that opens no uploads.
        credential = config.client_secret if asked.may_upload else ""
        return {"access_token": self._mint.issue(credential, now + asked.life), "expires_in": str(asked.life)}
