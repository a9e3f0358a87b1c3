"""Parses the S3 form in Xvid's answer: fields in order, and expiry of the policy (docs/contracts.md section 4)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer
from bulkup.providers.answer_parsing import lease_from, malformed, unix_time
from bulkup.providers.xvid.answers import SERVICE

FormFields = tuple[tuple[str, Secret], ...]
PLACEHOLDER = "${filename}"  # in a key, S3 replaces it with the file name of the form
_MAX_SIZE = 20 * 1024  # bytes of all fields together, S3's limit
_CONTROL = lazy_pattern(r"[\x00-\x1f\x7f]")


def fields_of(params: Any) -> FormFields:
    """Return the fields of the form in their order. Raises `ProblemError` for a form that storage would misread."""
    if not isinstance(params, dict) or not params:
        raise malformed(SERVICE, "no form_post_params")
    fields = tuple((name, Secret(_text(name, value))) for name, value in params.items())
    names = {name.lower(): value for name, value in fields}
    if "file" in names:
        raise malformed(SERVICE, "a form field called file, which is reserved for the file")
    if not {"key", "policy"} <= names.keys() or len(names) < len(fields):
        raise malformed(SERVICE, "a form without key or policy, or with a repeated field")
    if PLACEHOLDER in names["key"].reveal():
        raise malformed(SERVICE, f"a form whose key contains {PLACEHOLDER}")
    if sum(len(name.encode()) + len(value.reveal().encode()) for name, value in fields) > _MAX_SIZE:
        raise malformed(SERVICE, "a form of more than 20 KiB")
    return fields


def lease_of_form(fields: FormFields, answer: ApiAnswer) -> float:
    """Return when the policy of the form expires, by the local clock. Raises `ProblemError` if it is not stated."""
    policy = next(value.reveal() for name, value in fields if name.lower() == "policy")
    try:
        decoded = orjson.loads(base64.b64decode(policy, validate=True))
    except (binascii.Error, ValueError):
        decoded = None
    text = decoded.get("expiration") if isinstance(decoded, dict) else None
    expires_at = unix_time(text) if isinstance(text, str) else None
    if expires_at is None:
        raise malformed(SERVICE, "a form whose policy has no valid expiration")
    return lease_from(expires_at, answer)


def _text(name: str, value: Any) -> str:
    """Return the value of a field as text. A JSON integer is accepted as well."""
    if _CONTROL.search(name) or not name:
        raise malformed(SERVICE, "a form field with an empty name or a control character")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise malformed(SERVICE, "a form field that is not text")
    return str(value)
