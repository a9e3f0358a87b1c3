"""Shards: parts of a tree that several runs upload side by side, such as the tasks of a batch system.

A file belongs to one of N shards by the hash of its path relative to its source. So the same file is in the same shard
on every machine and in every run, wherever the source is mounted and whichever other sources a run has.

The rule is fixed, because the journals of earlier runs depend on it: the first eight bytes of the SHA-256 of the path,
as a big-endian number, modulo N, plus 1.
"""

from __future__ import annotations

import hashlib

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass

MOST_SHARDS = 65_536
EXPECTED = f"K/N, shard K of N, such as 2/4: K is from 1 to N, and N at most {MOST_SHARDS}"

_TEXT = lazy_pattern(r"([0-9]{1,5})/([0-9]{1,5})")
_BYTES = 8  # of the hash


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `total`; numbers begin at 1. `str()` returns a form that `parse_shard` accepts."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def takes(self, path: bytes) -> bool:
        """Return whether a file belongs to this shard, by its path relative to the source."""
        digest = hashlib.sha256(path, usedforsecurity=False).digest()
        return int.from_bytes(digest[:_BYTES], "big") % self.total == self.number - 1

    def contains(self, other: Shard) -> bool:
        """Return whether each file of the other shard is in this one."""
        return other.total % self.total == 0 and (other.number - 1) % self.total == self.number - 1


WHOLE = Shard(1, 1)


def parse_shard(value: object) -> Shard:
    """Return the shard of a text such as `2/4`. Raises ValueError."""
    if isinstance(value, Shard):
        value = str(value)
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    shard = Shard(int(match[1]), int(match[2])) if match is not None else None
    if shard is None or not 1 <= shard.number <= shard.total <= MOST_SHARDS:
        raise ValueError(f"expected {EXPECTED}")
    return shard
