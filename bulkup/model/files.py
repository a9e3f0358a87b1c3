"""Files of the user: their source, path, identity and digest."""

from __future__ import annotations

import base64
import operator
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Stat = tuple[int, int, int, int, int]


# What is read of a stat result, in the order of an identity's fields: size, times, inode and device.
stat_of: Callable[[os.stat_result], Stat] = operator.attrgetter(
    "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)


_TIMES = 1 << 63  # nanoseconds before and after 1970 that the journal's integers can hold


class Identity(NamedTuple):
    """What `stat` says a file is. Sizes in bytes, times in nanoseconds.

    A tuple, like `FoundFile`: they are made often, and compared.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Identity:
        """Return the identity that a stat result shows."""
        return cls.of_stat(stat_of(stat))

    @classmethod
    def of_stat(cls, stat: Stat) -> Identity:
        """Return the identity that what was read of a stat result shows."""
        size, mtime_ns, ctime_ns, inode, device = stat
        if not (-_TIMES <= mtime_ns < _TIMES and -_TIMES <= ctime_ns < _TIMES):
            mtime_ns, ctime_ns = _in_64_bits(mtime_ns), _in_64_bits(ctime_ns)
        return cls(size, mtime_ns, ctime_ns, inode, device)


def _in_64_bits(time_ns: int) -> int:
    """Fold a time that the journal's integers cannot hold: file systems go beyond the year 2262."""
    return (time_ns + _TIMES) % (2 * _TIMES) - _TIMES


UNKNOWN_IDENTITY = Identity(0, 0, 0, 0, 0)  # of an entry that could not be looked at


@dataclass(frozen=True, slots=True)
class Source:
    """A directory given by the user, or the folder of a single file given by the user, which `only` then names.

    `root` is the directory's real path; `id` is the journal's number for it. A file given by itself and the same file
    found in its directory have one key, and so are one file. `name` is what the user calls the source, wherever it is.
    """

    root: bytes
    only: bytes | None = None
    id: int = 0
    name: str | None = None

    @property
    def shown(self) -> str:
        """The path as text, bytes that are not UTF-8 kept as surrogates."""
        return os.fsdecode(self.root)


class FoundFile(NamedTuple):
    """Scanner to batcher: one regular file. `path` is relative to the source, in bytes, with `/` between its parts."""

    source: Source
    path: bytes
    identity: Identity

    @property
    def full_path(self) -> bytes:
        """The path to open."""
        root = self.source.root
        return root + self.path if root == b"/" else b"%b/%b" % (root, self.path)

    @property
    def name(self) -> str:
        """The last part of the path as text."""
        return os.fsdecode(self.path[self.path.rfind(b"/") + 1 :])

    @property
    def extension(self) -> str:
        """What `extension_of` says of the name."""
        return extension_of(self.name)


def extension_of(name: str) -> str:
    """Return the lower-cased last suffix of a name without its dot; empty where there is none, as in `.profile`."""
    stem = name.lstrip(".")
    dot = stem.rfind(".")
    return stem[dot + 1 :].lower() if dot >= 0 else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is to stand at the service, by the service's own words (an asset and a category, an object key).

    `exclusive` says that one file alone can stand there. A file uploaded to another place than it is to have now is
    uploaded again.
    """

    name: str
    exclusive: bool = False


class Digest(NamedTuple):
    """The MD5 of the bytes read, 16 raw bytes (RFC 1321)."""

    md5: bytes

    @property
    def hex(self) -> str:
        """32 hex digits, as in an ETag."""
        return self.md5.hex()

    @property
    def content_md5(self) -> str:
        """Base64, as in the header Content-MD5 (RFC 1864)."""
        return base64.b64encode(self.md5).decode("ascii")
