"""Converts a file's identity to the columns of its row and back.

Inode and device have 64 bits without a sign. SQLite's integers have a sign.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.model.files import Stat

_UNSIGNED = 1 << 64
_SIGN = 1 << 63


def signed_stat(stat: Stat) -> Stat:
    """Return the values for the columns."""
    size, mtime_ns, ctime_ns, inode, device = stat
    if inode >= _SIGN or device >= _SIGN:
        return size, mtime_ns, ctime_ns, _signed(inode), _signed(device)
    return stat


def unsigned_stat(columns: Sequence[int]) -> Stat:
    """Return the values of the columns as the system gives them."""
    size, mtime_ns, ctime_ns, inode, device = columns
    return size, mtime_ns, ctime_ns, inode % _UNSIGNED, device % _UNSIGNED


def _signed(number: int) -> int:
    return number - _UNSIGNED if number >= _SIGN else number
