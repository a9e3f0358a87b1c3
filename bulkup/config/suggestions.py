"""Suggestions for words that are probably misspelt."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the most similar word, None if none is similar enough."""
    import difflib  # noqa: PLC0415  # few commands meet a wrong word

    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)), None)


def suggestion(word: str, words: Iterable[str]) -> str:
    """Return a sentence that suggests the most similar word, empty if there is none."""
    names = list(words)
    # The beginning of a name is more than a likeness: `webhook` means `webhook_url`, its first one.
    near = next((name for name in names if name.startswith(f"{word}_")), None) or nearest(word, names)
    return f'did you mean "{near}"?' if near else ""
