"""Fetches tokens from Xvid for OAuth client credentials (docs/contracts.md section 4)."""

from __future__ import annotations

from urllib.parse import urlencode

from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.answer_parsing import json_object, malformed, raise_for_status, text_field
from bulkup.providers.base import ProviderConfig
from bulkup.providers.tokens import Token, TokenCache

_SERVICE = "Xvid's token service"
# Singular, unlike the standard's `client_credentials`: the service accepts only this.
_GRANT = "client_credential"
_SCOPE = "mediahub,mediahub_write"


class OAuthTokenCache(TokenCache):
    """Fetches the token of an OAuth client, and replaces it before it expires or after it was refused."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config.clock)
        self._config = config

    async def fetch(self, call: ApiCall) -> Token:
        """Fetch a token from the token service."""
        given = self._config.credentials
        form = {
            "grant_type": _GRANT,
            "client_id": given["client_id"].reveal(),
            "client_secret": given["client_secret"].reveal(),
            "scope": _SCOPE,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = await call(ApiRequest("POST", "/v1/oauth2/token/", headers, urlencode(form).encode()))
        return _token(answer)


def _token(answer: ApiAnswer) -> Token:
    if answer.status in (400, 401, 403):
        what = f"{_SERVICE} answered {answer.status}: check client_id and client_secret"
        raise ProblemError(Problem(ProblemKind.UNAUTHORIZED, what))
    raise_for_status(answer, _SERVICE, "")
    body = json_object(answer, _SERVICE)
    value = text_field(body, "access_token", _SERVICE)
    try:
        seconds = float(body.get("expires_in", ""))  # the service sends a number as text
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise malformed(_SERVICE, "a token without expires_in")
    return Token(Secret(value), answer.sent_at, answer.sent_at + seconds)
