"""Requests and answers as lines for people, with secrets masked. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import orjson

from bulkup.config.template_text import holds_secrets
from bulkup.helpers.secrets import MASK, SecretUrl
from bulkup.helpers.short_text import shortened

_LONGEST_TEXT = 300  # characters of one value of an answer


def shown_headers(headers: Mapping[str, Any]) -> list[str]:
    """Return a line for each header."""
    return [
        f"{name}: {MASK if holds_secrets(name) else shortened(str(value), _LONGEST_TEXT)}"
        for name, value in headers.items()
    ]


def shown_url(url: str) -> str:
    """Return a URL with its query; the values of parameters whose names are those of secrets are masked."""
    place, mark, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
    shown = [
        f"{name}={MASK}" if equals and holds_secrets(name) else f"{name}{equals}{value}"
        for name, equals, value in pairs
    ]
    return f"{place}{mark}{'&'.join(shown)}"


def shown_body(body: bytes) -> str:
    """Return a body for people: JSON with URLs and values of secret names masked, else its length."""
    with contextlib.suppress(ValueError):
        return orjson.dumps(_masked(orjson.loads(body)), option=orjson.OPT_INDENT_2).decode()
    return f"({len(body)} bytes, not JSON)"


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, name) for part in value]
    if not isinstance(value, str):
        return value
    if holds_secrets(name) or name.lower() in ("policy", "x-amz-signature", "x-amz-credential"):
        return MASK
    if "://" in value[:12]:
        return str(SecretUrl(value))
    return shortened(value.partition("?")[0] + ("?" + MASK if "?" in value and "=" in value else ""), _LONGEST_TEXT)
