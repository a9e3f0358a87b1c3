"""Tokens for OAuth 2 client credentials (RFC 6749 4.4), fetched from a token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any
from urllib.parse import urlencode

from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, Headers
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.answer_parsing import json_object, malformed, raise_for_status, text_field
from bulkup.providers.tokens import Token, TokenCache

_LONGEST = 1e9  # seconds


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """A token endpoint, with the form that it receives.

    `service` names it in messages. `base_url` is its root if it is another one than the service's. `fields` are those
    of the form, with the secrets in clear. `lifetime` holds for a token without `expires_in`; with None such an answer
    is malformed.
    """

    service: str
    path: str
    fields: Mapping[str, str] = field(repr=False)
    headers: Headers = field(default_factory=dict)
    base_url: str | None = None
    lifetime: float | None = None


class ClientCredentials(TokenCache):
    """Keeps the token of an OAuth client, and replaces it before it expires or after it was refused."""

    def __init__(self, endpoint: TokenEndpoint, clock: Clock) -> None:
        super().__init__(clock)
        self._endpoint = endpoint

    async def fetch(self, call: ApiCall) -> Token:
        """Fetch a token from the token endpoint."""
        endpoint = self._endpoint
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            **endpoint.headers,
        }
        form = urlencode(endpoint.fields).encode()
        return self._token_of(await call(ApiRequest("POST", endpoint.path, headers, form, endpoint.base_url)))

    def _token_of(self, answer: ApiAnswer) -> Token:
        service = self._endpoint.service
        if answer.status in (400, 401, 403):
            what = f"{service} answered {answer.status}: check client_id and client_secret"
            raise ProblemError(Problem(ProblemKind.UNAUTHORIZED, what))
        raise_for_status(answer, service, "")
        body = json_object(answer, service)
        value = text_field(body, "access_token", service)
        stated: Any = body.get("expires_in", self._endpoint.lifetime)
        try:
            seconds = float(stated)  # some services send the number as text
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds < _LONGEST:
            raise malformed(service, "a token without expires_in")
        return Token(Secret(value), answer.sent_at, answer.sent_at + seconds)
