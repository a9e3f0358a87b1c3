"""The two ways to a token of Xvid's: a given one, and OAuth client credentials (contracts.md section 4)."""

from __future__ import annotations

from urllib.parse import urlencode

from bulkup.messages import Kind, Problem, ProblemError
from bulkup.providers.answers import json_object, malformed, raise_for_status, text_of
from bulkup.providers.base import ProviderConfig
from bulkup.providers.tokens import Token, TokenCache
from bulkup.secrets import Secret
from bulkup.wire import ApiAnswer, ApiCall, ApiRequest

_SERVICE = "Xvid's token service"
# Singular: not the word of the standard, and the only one that the service takes.
_GRANT = "client_credential"
_SCOPE = "mediahub,mediahub_write"


class GivenToken:
    """A token that the user got somewhere."""

    secrets: tuple[Secret, ...] = ()

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self, call: ApiCall) -> Secret:  # noqa: ARG002  # nothing to fetch
        """Return it."""
        return self._token

    def refused(self, token: Secret) -> bool:  # noqa: ARG002  # there is no other
        """Say that there is no other."""
        return False


class OAuthClient:
    """A client whose token is fetched, and fetched again shortly before it runs out or once it was refused."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._tokens = TokenCache(self._fetch, config.clock)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The token, where one was fetched."""
        return self._tokens.secrets

    async def token(self, call: ApiCall) -> Secret:
        """Return a token that is good now. Raises `ProblemError`."""
        return await self._tokens.get(call)

    def refused(self, token: Secret) -> bool:
        """Forget the token; say that another one may be had."""
        self._tokens.forget(token)
        return True

    async def _fetch(self, call: ApiCall) -> Token:
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
        raise ProblemError(Problem(Kind.UNAUTHORIZED, what))
    raise_for_status(answer, _SERVICE, "")
    body = json_object(answer, _SERVICE)
    value = text_of(body, "access_token", _SERVICE)
    try:
        seconds = float(body.get("expires_in", ""))  # a number in a text
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise malformed(_SERVICE, "a token without expires_in")
    return Token(Secret(value), answer.sent_at, answer.sent_at + seconds)
