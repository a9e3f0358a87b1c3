"""Escapes text from outside for a terminal: a file name must not move the cursor or imitate another line."""

from __future__ import annotations

import re

from rich.markup import escape

# C0 and DEL, C1, bidi marks and overrides, line and paragraph separators, and surrogates
# (bytes that are not UTF-8).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
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


def markup_safe(text: str) -> str:
    """Return `printable(text)` for a string that rich parses as markup, with its brackets escaped.

    Markup cannot represent every backslash: next to brackets and at the end, their number may be wrong. Prefer
    `rich.text.Text(printable(text))`, which is always exact.
    """
    shown = printable(text)
    body = shown.rstrip("\\")
    # An odd number of backslashes would escape the tag that follows; rich's own `escape` fails for three of them.
    return escape(body) + "\\\\" * (len(shown) - len(body))
