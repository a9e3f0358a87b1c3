"""Rejections by the service, kept in the column `error` so that the next run need not ask again.

The column has the reason, and after it the settings with which the service was asked, as a short digest:

    Magic Hour answered 422: unsupported type [asked with settings 3f9a2c41]

Rejections that were made without a call have no digest: each run decides them anew.

Pure.
"""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern

_KEPT = lazy_pattern(r"(?P<reason>.*) \[asked with settings (?P<settings>[0-9a-f]{8})\]", re.DOTALL)


def kept(reason: str, settings_digest: str) -> str:
    """Return the text to keep."""
    return f"{reason} [asked with settings {settings_digest}]"


def reason_of(error: str | None, settings_digest: str) -> str | None:
    """Return the service's reason, None where it did not reject the file, or was asked with other settings."""
    found = _KEPT.fullmatch(error) if error else None
    return found["reason"] if found is not None and found["settings"] == settings_digest else None


def shown_reason(error: str | None) -> str | None:
    """Return the text of the column for people."""
    found = _KEPT.fullmatch(error) if error else None
    return found["reason"] if found is not None else error
