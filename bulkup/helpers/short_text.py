"""Shortens texts that another party wrote, before they become part of a message or a row."""

from __future__ import annotations


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: the beginning of a longer one, with a mark that it is cut.

    The beginning is kept, because a secret is recognised by its first characters.
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"
