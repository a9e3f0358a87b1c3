"""The S3 form that Xvid hands out: its fields in order, and the expiry of its policy (docs/contracts.md section 4)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer
from bulkup.providers.answer_parsing import lease_from, malformed, unix_time
from bulkup.providers.xvid.answers import SERVICE

Fields = tuple[tuple[str, Secret], ...]
PLACEHOLDER = "${filename}"  # what S3 replaces, in a key, by the name that the sender gives the file
_LARGEST = 20 * 1024  # bytes of all fields together, S3's limit
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def fields_of(params: Any) -> Fields:
    """Return the form's fields in the order told. Raises `ProblemError` for a form that storage would misread."""
    if not isinstance(params, dict) or not params:
        raise malformed(SERVICE, "no form_post_params")
    fields = tuple((name, Secret(_text(name, value))) for name, value in params.items())
    names = {name.lower(): value for name, value in fields}
    if "file" in names:
        raise malformed(SERVICE, "a form field called file, which is the file itself")
    if not {"key", "policy"} <= names.keys() or len(names) < len(fields):
        raise malformed(SERVICE, "a form without key or policy, or with a field twice")
    if PLACEHOLDER in names["key"].reveal():
        raise malformed(SERVICE, "a form whose key leaves the file's name to the sender")
    if sum(len(name.encode()) + len(value.reveal().encode()) for name, value in fields) > _LARGEST:
        raise malformed(SERVICE, "a form of more than 20 KiB")
    return fields


def lease_of_form(fields: Fields, answer: ApiAnswer) -> float:
    """Return when the form's policy ends, by our clock. Raises `ProblemError` where it tells none."""
    policy = next(value.reveal() for name, value in fields if name.lower() == "policy")
    try:
        decoded = orjson.loads(base64.b64decode(policy, validate=True))
    except (binascii.Error, ValueError):
        decoded = None
    told = decoded.get("expiration") if isinstance(decoded, dict) else None
    ends = unix_time(told) if isinstance(told, str) else None
    if ends is None:
        raise malformed(SERVICE, "a form whose policy tells no expiration")
    return lease_from(ends, answer)


def _text(name: str, value: Any) -> str:
    """Return a field's value as it goes into the form; a JSON number is written as it is."""
    if _CONTROL.search(name) or not name:
        raise malformed(SERVICE, "a form field without a name, or with a control character in it")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise malformed(SERVICE, "a form field that is no text")
    return str(value)
