"""Magic Hour's `POST /v1/files/upload-urls` (docs/contracts.md section 1): parses requests and creates tickets."""

from __future__ import annotations

import math
import re
import secrets
from typing import Any

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.api_common import ApiError
from bulkup.localserver.context import ServerContext
from bulkup.localserver.extension_lists import DEFAULT_LIST, EXTENSION_LISTS, ExtensionList
from bulkup.localserver.s3 import sigv4
from bulkup.localserver.signing_types import ServerOrigin
from bulkup.localserver.timestamps import rfc3339

PATH = "/v1/files/upload-urls"

_EXTENSION = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class AssetRequest:
    """One entry of a request: a type of media and an extension of that type."""

    type: str
    extension: str


def parse_request(body: Any, accepted: ExtensionList = EXTENSION_LISTS[DEFAULT_LIST]) -> list[AssetRequest]:
    """Return the requested assets. Raises ApiError: 400 for an invalid body, 422 for an extension of another type."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise ApiError(400, "'items' is required and must be a list of at least one item")
    return [_asset(item, accepted) for item in items]


def create_ticket(context: ServerContext, origin: ServerOrigin, asset: AssetRequest) -> dict[str, str]:
    """Return the ticket of one asset. Two digits of its name spread the objects over 256 directories."""
    name = secrets.token_hex(16)
    path = f"api-assets/{name[:2]}/{name}.{asset.extension}"
    signed_at = math.ceil(context.clock.now())
    url = sigv4.presign("PUT", origin, path, context.key, signed_at, context.url_ttl())
    return {"upload_url": url, "expires_at": rfc3339(signed_at + context.url_ttl()), "file_path": path}


def _asset(item: Any, accepted: ExtensionList) -> AssetRequest:
    if not isinstance(item, dict):
        raise ApiError(400, "every item must be an object")
    kind, extension = item.get("type"), item.get("extension")
    if not isinstance(kind, str) or kind not in accepted:
        raise ApiError(400, "'type' must be one of 'video', 'audio', 'image'")
    if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
        raise ApiError(400, "'extension' must match the pattern '^[a-z0-9]+$'")
    if extension not in accepted[kind]:
        possible = ", ".join(accepted[kind])
        raise ApiError(422, f"'{extension}' is an invalid {kind} extension. Possible extensions are '{possible}'")
    return AssetRequest(kind, extension)
