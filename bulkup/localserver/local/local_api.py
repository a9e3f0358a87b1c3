"""The API of `--provider local`, `POST /local/v1/tickets`. It is like Magic Hour's, and takes any file extension.

    {"files": [{"extension": "mp4", "size": 123}, ...]}                 extension may be empty; size is in bytes
    200 {"tickets": [{"id": "local/<2 hex>/<32 hex>.mp4", "url": "<PUT it here>", "expires_in": <seconds>}, ...]}

The id is the path of the object below `DIR/objects/`. `POST /local/v1/objects` says which objects
are stored, in the order of the request. A stored one has a URL to read it from:

    {"ids": ["local/<2 hex>/<32 hex>.mp4", ...]}
    200 {"objects": [{"id": ..., "size": 123, "url": "<GET it here>", "expires_in": <seconds>} or null, ...]}

Errors are `{"message": ...}`; an invalid body is a 400.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from bulkup.localserver.api_common import ApiError, as_integer
from bulkup.localserver.context import ServerContext
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.signing_types import ServerOrigin

PATH = "/local/v1/tickets"
OBJECTS_PATH = "/local/v1/objects"

_EXTENSION = re.compile(r"[A-Za-z0-9_-]{0,32}")
_ID = re.compile(r"local/[0-9a-f]{2}/[0-9a-f]{32}(?:\.[A-Za-z0-9_-]{1,32})?")


def parse_request(body: Any) -> list[str]:
    """Return the extensions of the requested files. Raises ApiError 400 for an invalid body."""
    files = body.get("files") if isinstance(body, dict) else None
    if not isinstance(files, list) or not files:
        raise ApiError(400, "'files' is required and must be a list of at least one file")
    return [_extension(file) for file in files]


def create_ticket(context: ServerContext, origin: ServerOrigin, extension: str) -> dict[str, Any]:
    """Return the ticket of one file."""
    name = secrets.token_hex(16)
    key = f"local/{name[:2]}/{name}" + (f".{extension}" if extension else "")
    url = sigv4.presign("PUT", origin, key, context.key, context.clock.now(), context.url_ttl())
    return {"id": key, "url": url, "expires_in": context.url_ttl()}


def parse_ids(body: Any) -> list[str]:
    """Return the ids of a request about objects. Raises ApiError 400 for an invalid body."""
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not ids:
        raise ApiError(400, "'ids' is required and must be a list of at least one id")
    if not all(isinstance(one, str) and _ID.fullmatch(one) for one in ids):
        raise ApiError(400, "every id must be one of this server's tickets")
    return ids


def describe_object(
    objects: ObjectStore, context: ServerContext, origin: ServerOrigin, key: str
) -> dict[str, Any] | None:
    """Return what is known of an object, None if it is not stored."""
    size = objects.size(key)
    if size is None:
        return None
    url = sigv4.presign("GET", origin, key, context.key, context.clock.now(), context.url_ttl())
    return {"id": key, "size": size, "url": url, "expires_in": context.url_ttl()}


def _extension(file: Any) -> str:
    if not isinstance(file, dict):
        raise ApiError(400, "every file must be an object")
    extension, size = file.get("extension"), as_integer(file.get("size"))
    if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
        raise ApiError(400, "'extension' must match the pattern '^[A-Za-z0-9_-]{0,32}$'")
    if size is None or size < 0:
        raise ApiError(400, "'size' must be a whole number of bytes")
    return extension
