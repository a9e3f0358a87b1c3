"""Services that a profile describes, whose answers are fuzzed: with every key of the tables that reads a value."""

from __future__ import annotations

from typing import Any

from provider_cases import BASE_URL

from bulkup.config.description_parsing import parse_description
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Digest
from bulkup.providers import FileSpec, Provider, ProviderConfig, create

_CALL = {"path": "/uploads", "item": {"name": "{name}", "ref": "{uuid}", "md5": "{md5_hex}"}}
_GROUP = {"batch_size": 10, "checksum": "md5", "presign": {**_CALL, "body": {"files": "{items}"}}}
_ENTRY = {
    "url": "url",
    "id": "id",
    "headers": "headers || `{}`",
    "rejected": "refused",
    "already": "there",
    "error": "error.message || message",
    "code": "error.code",
    "codes": {"SlowDown": "throttled", "Denied": "unauthorized", "5": "retry"},
    "keep": {"bucket": "bucket || 'none'"},
}
_CONFIRM = {
    "path": "/uploads/{id}/complete?size={size}",
    "body": {"bucket": "{bucket}"},
    "done": "status == 'READY'",
    "failed": "error",
    "already": "contains(message || '', 'already')",
    "poll": "/uploads/{id}",
}


def _service(table: dict[str, Any]) -> Provider:
    settings = {"http": parse_description(table), "confirm": True}
    return create("http", ProviderConfig(BASE_URL, {"token": Secret("t")}, settings))


SPECS = [FileSpec(f"n{n}.mp4", f"d/n{n}.mp4", "mp4", n + 1, Digest(bytes([n]) * 16)) for n in range(2)]
BY_ORDER = _service(
    {**_GROUP, "answer": {**_ENTRY, "tickets": "items", "expires": "expires"}, "confirm": _CONFIRM, "put": {}}
)
BY_NAME = _service(
    {
        **_GROUP,
        "answer": {**_ENTRY, "tickets": "items[*]", "match": {"answer": "name", "file": "{name}"}, "expires_in": "ttl"},
        "put": {"headers": {"X-Name": "{name}"}, "checksum": "body:md5", "success": [201]},
    }
)
BY_KEY = _service({**_GROUP, "answer": {**_ENTRY, "tickets": "files", "match": {"key": "{name}"}}})
FORM = _service(
    {
        "presign": {"path": "/form"},
        "answer": {"tickets": "data", "url": "url", "fields": "fields", "base": "{base_url}"},
    }
)
PARTS = _service({"presign": {"path": "/parts"}, "answer": {"parts": "parts[*].url", "id": "values(ids)[0]"}})
GROUPED = (BY_ORDER, BY_NAME, BY_KEY)
SINGLE = (FORM, PARTS)
