"""The Batch API with basic transfers, and the verify call. Objects are stored as `git-lfs/<oid>`.

A login is `Authorization: Bearer` with the token, or `Basic` with any user and the token as password. The server
answers both calls only to clients that accept its media type. A verify call compares the object's SHA-256 with its id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from anyio import to_thread

from bulkup.localserver.allowed_methods import refuse_other_methods
from bulkup.localserver.api_common import ApiError, apply_fault, as_integer, read_json
from bulkup.localserver.context import ServerContext, credentials_match, request_origin
from bulkup.localserver.faults import FaultPoint
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.s3.object_store import READ_SIZE, ObjectStore
from bulkup.localserver.signing_types import ServerOrigin

BATCH_PATH = "/objects/batch"
VERIFY_PATH = "/objects/{oid}/verify"
MEDIA_TYPE = "application/vnd.git-lfs+json"
_LARGEST = 2**63 - 1  # bytes; the answer repeats the size, and the encoder takes no larger number
_MISSING = "Object does not exist"
_OID = re.compile(r"[0-9a-f]{64}")


class LfsApi:
    """The calls of one repository."""

    def __init__(self, context: ServerContext, objects: ObjectStore) -> None:
        self._context = context
        self._objects = objects

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, with a refusal of all other methods."""
        posts = [web.post(BATCH_PATH, self.batch), web.post(VERIFY_PATH, self.verify)]
        return refuse_other_methods(posts, _refuse)

    async def batch(self, request: web.Request) -> web.Response:
        """Answer a batch call, for uploads and downloads."""
        self._context.counters.add(presign_calls=1)
        try:
            objects = await self._batch(request)
        except ApiError as error:
            return await _refuse(request, error)
        self._context.counters.add(tickets=sum("upload" in one.get("actions", {}) for one in objects))
        return _answer({"transfer": "basic", "objects": objects, "hash_algo": "sha256"})

    async def verify(self, request: web.Request) -> web.Response:
        """Answer a verify call: 200 if the object is stored, and is the one that its id names."""
        try:
            self._check(request)
            oid, size = _object_of(await read_json(request, self._context.limits))
            if oid != request.match_info["oid"]:
                raise ApiError(404, _MISSING)
            apply_fault(self._context.draw_fault(FaultPoint.API, self._context.clock.now()))
            if self._objects.size(_key(oid)) != size:
                raise ApiError(404, _MISSING)
            if await to_thread.run_sync(_sha256, self._objects.path(_key(oid))) != oid:
                raise ApiError(422, "The object has another SHA-256")
        except ApiError as error:
            return await _refuse(request, error)
        return _answer({})

    async def _batch(self, request: web.Request) -> list[dict[str, Any]]:
        context = self._context
        self._check(request)
        body = await read_json(request, context.limits)
        operation, entries = _batch_of(body)
        if len(entries) > context.limits.max_files_per_call:
            raise ApiError(413, f"'objects' may have at most {context.limits.max_files_per_call} entries in one call")
        if apply_fault(context.draw_fault(FaultPoint.PRESIGN, context.clock.now())):
            entries = entries[:-1]
        origin, login = request_origin(request), request.headers["Authorization"]
        return [self._object(operation, *entry, origin, login) for entry in entries]

    def _object(self, operation: str, oid: str, size: int, origin: ServerOrigin, login: str) -> dict[str, Any]:
        known = {"oid": oid, "size": size, "authenticated": True}
        stored = self._objects.size(_key(oid)) == size
        if operation == "download":
            if not stored:
                return {**known, "error": {"code": 404, "message": _MISSING}}
            return {**known, "actions": {"download": self._action("GET", oid, origin)}}
        if stored:
            return known
        verify = {
            "href": origin.url(VERIFY_PATH.format(oid=oid)),
            "header": {"Authorization": login},
            "expires_in": self._context.url_ttl(),
        }
        return {**known, "actions": {"upload": self._action("PUT", oid, origin), "verify": verify}}

    def _action(self, method: str, oid: str, origin: ServerOrigin) -> dict[str, Any]:
        context, lifetime = self._context, self._context.url_ttl()
        url = sigv4.presign(method, origin, _key(oid), context.key, context.clock.now(), lifetime)
        return {"href": url, "header": {}, "expires_in": lifetime}

    def _check(self, request: web.Request) -> None:
        """Raise ApiError unless the client accepts the media type and has a login."""
        accepted = request.headers.get("Accept", "*/*")
        if MEDIA_TYPE not in accepted and "*/*" not in accepted:
            raise ApiError(406, f"The Accept header needs to be {MEDIA_TYPE}")
        if not credentials_match(_token_of(request.headers.get("Authorization", "")), self._context.config.token):
            raise ApiError(401, "Credentials needed", {"LFS-Authenticate": 'Basic realm="Git LFS"'})


def _batch_of(body: Any) -> tuple[str, list[tuple[str, int]]]:
    """Return operation and objects of a batch call. Raises ApiError."""
    if not isinstance(body, dict) or body.get("operation") not in ("upload", "download"):
        raise ApiError(422, "'operation' must be upload or download")
    transfers, objects = body.get("transfers", ["basic"]), body.get("objects")
    if not isinstance(transfers, list) or (transfers and "basic" not in transfers):
        raise ApiError(422, "'transfers' must contain basic")
    if body.get("hash_algo", "sha256") != "sha256":
        raise ApiError(409, "'hash_algo' must be sha256")
    if not isinstance(objects, list) or not objects:
        raise ApiError(422, "'objects' is required and must be a list of at least one object")
    return body["operation"], [_object_of(one) for one in objects]


def _object_of(value: Any) -> tuple[str, int]:
    """Return id and size of an object. Raises ApiError."""
    oid = value.get("oid") if isinstance(value, dict) else None
    size = as_integer(value.get("size")) if isinstance(value, dict) else None
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        raise ApiError(422, "'oid' must have 64 hex digits in lower case")
    if size is None or not 0 <= size <= _LARGEST:
        raise ApiError(422, f"'size' must be a whole number of bytes, at most {_LARGEST}")
    return oid, size


def _token_of(authorization: str) -> str:
    """Return the token in a header, empty for another form of header."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=True).decode("utf-8", "replace").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _key(oid: str) -> str:
    return f"git-lfs/{oid}"


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(READ_SIZE):
            found.update(block)
    return found.hexdigest()


def _answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type=MEDIA_TYPE)


async def _refuse(_request: web.Request, error: ApiError) -> web.Response:
    return _answer({"message": error.message}, error.status, error.headers)
