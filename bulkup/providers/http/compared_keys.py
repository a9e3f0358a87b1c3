"""The compared values of entries that belong to no file, for messages. Pure.

A value of the answer is shown only as far as it repeats a text of the files: the rest may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from bulkup.helpers.short_text import shortened

_MOST = 3  # values that are shown
_LONGEST = 80  # characters of one value
_SHORTEST = 3  # characters of a text whose repetition is no chance


def comparison(wanted: str, found: Iterable[str], known: Sequence[str]) -> str:
    """Return the value that no entry has, with the values that entries have instead.

    `found` are those of entries that belong to no file. `known` are paths, names and compared values of the files.
    """
    others = list(found)
    shown = [_shown(text, known) for text in others[:_MOST]]
    more = [f"{len(others) - _MOST} more"] if len(others) > _MOST else []
    have = f", but {'one has' if len(others) == 1 else 'they have'} {', '.join(shown + more)}" if others else ""
    return f'no entry has "{shortened(wanted, _LONGEST)}"{have}'


def _shown(text: str, known: Sequence[str]) -> str:
    """Return a text with all that the files do not have left out."""
    folded = text.casefold()
    if any(form in one.casefold() for one in known for form in (folded, unquote(folded))):
        return f'"{shortened(text, _LONGEST)}"'
    inside = (one for one in known if len(one) >= _SHORTEST and one.casefold() in folded)
    repeated = max(inside, key=len, default=None)
    if repeated is None:
        return f"a text of length {len(text)}"
    before, _, after = folded.partition(repeated.casefold())
    return f'"{"..." * bool(before)}{shortened(repeated, _LONGEST)}{"..." * bool(after)}"'
