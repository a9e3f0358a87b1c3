"""File names as text, in every locale.

Outside Python's UTF-8 mode, the locale decides how file names become text. A name would then have another object key
under another locale.
"""

from __future__ import annotations

import contextlib
import os
import sys


def restart_in_utf8_mode() -> None:
    """Restart this program in UTF-8 mode if the encoding of file names is another one.

    Does nothing if the user has chosen a mode with `python -X utf8`.
    """
    chosen = "utf8" in sys._xoptions  # noqa: SLF001  # documented
    if sys.getfilesystemencoding() == "utf-8" or chosen or not sys.executable:
        return
    with contextlib.suppress(OSError):  # continue in the present mode
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  # our own arguments


def path_text(path: bytes) -> str:
    """Return a path as text; bytes that are not UTF-8 become surrogates."""
    return path.decode("utf-8", "surrogateescape")


def path_bytes(text: str) -> bytes:
    """Return the path of a text from `path_text`."""
    return text.encode("utf-8", "surrogateescape")
