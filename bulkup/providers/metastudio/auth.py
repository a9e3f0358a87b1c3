"""The three ways to authenticate at Huawei Cloud (docs/contracts.md section 3).

They are signed calls, a configured token, and the token of an IAM user, which is fetched.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, Headers, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.providers.answer_parsing import json_object, lease_from, malformed, raise_for_status, unix_time
from bulkup.providers.base import ProviderConfig
from bulkup.providers.metastudio.signature import CallToSign, SigningKeys, sign
from bulkup.providers.tokens import StaticToken, Token, TokenCache

_IAM = "Huawei IAM"
_HEADER = "X-Auth-Token"


class Auth(abc.ABC):
    """Authenticates requests."""

    signs = False

    @abc.abstractmethod
    async def apply(self, request: ApiRequest, call: ApiCall) -> ApiRequest:
        """Return the request with its authentication. Raises `ProblemError` when a token cannot be fetched."""

    def invalidate(self, request: ApiRequest) -> bool:  # noqa: ARG002  # only tokens can be replaced
        """Drop the token of a request that the service refused. Return whether another one can be fetched."""
        return False

    @property
    def secrets(self) -> Iterable[Secret]:
        """The fetched tokens."""
        return ()


def auth_of(config: ProviderConfig) -> Auth:
    """Return the authentication for the configured credentials."""
    given = config.credentials
    if "access_key" in given:
        keys = SigningKeys(given["access_key"], given["secret_key"], given.get("security_token"))
        return SignatureAuth(keys, config.base_url)
    return TokenAuth(StaticToken(given["auth_token"]) if "auth_token" in given else IamTokenCache(config))


class SignatureAuth(Auth):
    """Signs calls with an access key and a secret key, permanent or temporary."""

    signs = True

    def __init__(self, keys: SigningKeys, base_url: str) -> None:
        self._keys = keys
        root = urlsplit(base_url)
        self._host, self._prefix = root.netloc, root.path

    async def apply(self, request: ApiRequest, call: ApiCall) -> ApiRequest:  # noqa: ARG002  # nothing to fetch
        """Return the request with a function that signs it when it is sent."""

        def signed(now: float) -> Headers:
            plain = {name: value for name, value in request.headers.items() if isinstance(value, str)}
            target = self._prefix + request.path
            return sign(CallToSign(request.method, self._host, target, plain, request.body or b""), self._keys, now)

        return replace(request, signed=signed)


class TokenAuth(Auth):
    """Sends a token with each call: a configured one, or that of an IAM user."""

    def __init__(self, tokens: StaticToken | IamTokenCache) -> None:
        self._tokens = tokens

    @property
    def secrets(self) -> Iterable[Secret]:
        """The fetched tokens."""
        return self._tokens.secrets

    async def apply(self, request: ApiRequest, call: ApiCall) -> ApiRequest:
        """Add a valid token."""
        return replace(request, headers={**request.headers, _HEADER: await self._tokens.token(call)})

    def invalidate(self, request: ApiRequest) -> bool:
        """Drop the token. A change of password or rights invalidates it early (APIGW.0307)."""
        token = request.headers[_HEADER]
        assert isinstance(token, Secret)
        return self._tokens.invalidate(token)


class IamTokenCache(TokenCache):
    """Fetches the token of an IAM user, which is valid for 24 hours."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config.clock)
        self._config = config

    async def fetch(self, call: ApiCall) -> Token:
        """Fetch a token from the identity service."""
        given, settings = self._config.credentials, self._config.settings
        user = {
            "domain": {"name": given["iam_domain"].reveal()},
            "name": given["iam_user"].reveal(),
            "password": given["iam_password"].reveal(),
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"name": settings["region"]}}}}
        request = replace(json_request("POST", "/v3/auth/tokens", {}, body), base_url=settings["iam_url"])
        return self._token_of(await call(request))

    def _token_of(self, answer: ApiAnswer) -> Token:
        if answer.status in (400, 401, 403, 404):
            region = self._config.settings["region"]
            hint = f"check iam_user, iam_domain, iam_password, and that the project's region is {region}"
            raise ProblemError(Problem(ProblemKind.UNAUTHORIZED, f"{_IAM} answered {answer.status}: {hint}"))
        raise_for_status(answer, _IAM, "")
        token = answer.headers.get("x-subject-token", "")
        body = json_object(answer, _IAM).get("token")
        text = body.get("expires_at") if isinstance(body, dict) else None
        expires_at = unix_time(text) if isinstance(text, str) else None
        if not token or expires_at is None:
            raise malformed(_IAM, "no token, or one without expires_at")
        return Token(Secret(token), answer.sent_at, lease_from(expires_at, answer))
