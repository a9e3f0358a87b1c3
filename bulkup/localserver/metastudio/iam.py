"""IAM's `POST /v3/auth/tokens` (docs/contracts.md section 3): issues a token for 24 hours for a password."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bulkup.localserver.api_common import ApiError, apply_fault, json_answer, read_json
from bulkup.localserver.context import ServerContext, credentials_match
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.server_config import ServerConfig
from bulkup.localserver.signed_tokens import TokenSigner

PATH = "/v3/auth/tokens"
TOKEN_TTL = 24 * 3600  # seconds


class IamApi:
    """Issues tokens. Errors have the format of Keystone: `{"error": {"code", "message", "title"}}`."""

    def __init__(self, context: ServerContext, tokens: TokenSigner) -> None:
        self._context = context
        self._tokens = tokens

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        now = self._context.clock.now()
        try:
            check_request(await read_json(request, self._context.limits), self._context.config)
            apply_fault(self._context.draw_fault(FaultPoint.API, now))
        except ApiError as error:
            return await self.refuse(request, error)
        token = self._tokens.issue(self._context.config.iam_password, now + TOKEN_TTL)
        return json_answer(token_description(self._context.config, now), 201, self._dated({"X-Subject-Token": token}))

    async def refuse(self, _request: web.Request, error: ApiError) -> web.Response:
        """Return the error answer. A 429 has no Retry-After."""
        body = {"code": error.status, "message": error.message, "title": HTTPStatus(error.status).phrase}
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return json_answer({"error": body}, error.status, self._dated(allow))

    def _dated(self, headers: dict[str, str]) -> dict[str, str]:
        return {"Date": self._context.date, **headers}


def check_request(body: Any, config: ServerConfig) -> None:
    """Raise ApiError for a request that gets no token: 400 for an invalid body, 401 for wrong credentials."""
    if _at(body, "auth", "identity", "methods") != ["password"]:
        raise ApiError(400, 'auth.identity.methods must be ["password"]')
    user = ("auth", "identity", "password", "user")
    given = [_text(body, *user, *name) for name in (("domain", "name"), ("name",), ("password",))]
    project = _at(body, "auth", "scope", "project")
    if not isinstance(project, dict) or not (project.get("name") or project.get("id")):
        raise ApiError(400, "auth.scope.project must have a name or an id")
    expected = (config.iam_domain, config.iam_user, config.iam_password)
    matches = [credentials_match(one, other) for one, other in zip(given, expected, strict=True)]
    if not all(matches):
        raise ApiError(401, "The username or password is wrong.")
    if project.get("id", config.project_id) != config.project_id:
        raise ApiError(401, "The project is not one of the user's.")


def token_description(config: ServerConfig, now: float) -> dict[str, Any]:
    """Return the body of the answer. The token itself is in a header."""
    domain = {"name": config.iam_domain, "id": config.iam_domain}
    return {
        "token": {
            "expires_at": _stamp(now + TOKEN_TTL),
            "issued_at": _stamp(now),
            "methods": ["password"],
            "user": {"name": config.iam_user, "id": config.iam_user, "domain": domain},
            "project": {"name": config.project_id, "id": config.project_id, "domain": domain},
            "roles": [],
            "catalog": [],
        }
    }


def _at(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _text(body: Any, *path: str) -> str:
    value = _at(body, *path)
    if not isinstance(value, str):
        raise ApiError(400, f"{'.'.join(path)} must be a string")
    return value


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
