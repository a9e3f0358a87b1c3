"""Escapes text from outside for a terminal: a file name must not move the cursor or imitate another line."""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern

# C0 and DEL, C1, bidi marks and overrides, line and paragraph separators, and surrogates
# (bytes that are not UTF-8).
_UNSAFE = lazy_pattern("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # the surrogate of os.fsdecode for a byte that is not UTF-8: show the byte
        code -= 0xDC00
    return _SHORT.get(character) or (f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}")


def printable(text: str) -> str:
    r"""Return `text` on one line, with control characters in visible form, such as `\x1b` for ESC.

    Backslashes in the text are not doubled: the result is for people and cannot be decoded.
    """
    return _UNSAFE.sub(_escaped, text)


def printable_path(path: bytes) -> str:
    r"""Return a path for people; bytes that are not UTF-8 become `\xNN`."""
    return printable(path.decode("utf-8", "surrogateescape"))
