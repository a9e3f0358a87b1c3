"""Search the output and files of a program for secrets, in every encoding."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

CUT = 12  # characters of the beginning: a value that was cut off is as bad


def made_up() -> str:
    """Return a secret that each way of quoting writes in another way."""
    return f'{secrets.token_hex(12)}/+"\\&%{secrets.token_hex(12)}'


def ways(value: str) -> set[str]:
    """Return how a value can be written: plain, percent-encoded, for JSON, XML, shell, Python, in Base64, cut off."""
    quoted = quote(value, safe="")
    data = value.encode()
    return {
        value,
        quoted,
        re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        escape(value),
        escape(value, quote=False),
        shlex.quote(value),
        repr(value)[1:-1],
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        value[:CUT],
    }


def found_in(text: str, values: Iterable[str]) -> list[str]:
    """Return the values that a text contains, as written there."""
    return [way for value in values for way in sorted(ways(value)) if way in text]
