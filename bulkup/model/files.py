"""Files of the user: their source, path, identity and digest."""

from __future__ import annotations

import binascii
import operator
import os
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self, cast

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.utf8_mode import path_text

Stat = tuple[int, int, int, int, int]
# The fields of a stat result that make an identity, in the order of its fields.
stat_of: Callable[[os.stat_result], Stat] = operator.attrgetter(
    "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)


def lasting_stat_of(status: os.stat_result) -> Stat:
    """Return the fields of a stat result where inodes and change times do not last, as on some FUSE file systems.

    The modification time stands for the change time, and no inode is known.
    """
    return status.st_size, status.st_mtime_ns, status.st_mtime_ns, 0, status.st_dev


_MAX_TIME = 1 << 63  # nanoseconds before and after 1970 that fit the journal's integers


class Identity(NamedTuple):
    """The fields of `stat` that identify a version of a file. The size is in bytes, times are in nanoseconds.

    A tuple, like `FoundFile`, because many are created and compared.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Identity:
        """Return the identity of a stat result."""
        return cls.of_stat(stat_of(stat))

    @classmethod
    def of_stat(cls, stat: Stat) -> Identity:
        """Return the identity of the result of `stat_of`."""
        size, mtime_ns, ctime_ns, inode, device = stat
        if not (-_MAX_TIME <= mtime_ns < _MAX_TIME and -_MAX_TIME <= ctime_ns < _MAX_TIME):
            mtime_ns, ctime_ns = _in_64_bits(mtime_ns), _in_64_bits(ctime_ns)
        return cls(size, mtime_ns, ctime_ns, inode, device)


def _in_64_bits(time_ns: int) -> int:
    """Map a time that does not fit the journal's integers into their range: file systems allow years after 2262."""
    return (time_ns + _MAX_TIME) % (2 * _MAX_TIME) - _MAX_TIME


UNKNOWN_IDENTITY = Identity(0, 0, 0, 0, 0)  # of an entry that could not be examined


@dataclass(frozen=True, slots=True)
class Source:
    """A directory given by the user, or the folder of a single file given by the user, whose name is then `only`.

    `root` is the real path of the directory, and `id` its number in the journal. A file has the same key whether it was
    given itself or found in its directory. `name` is the name that the user gave the source, which may be moved.
    """

    root: bytes
    only: bytes | None = None
    id: int = 0
    name: str | None = None

    @property
    def shown(self) -> str:
        """The path as text; bytes that are not UTF-8 become surrogates."""
        return path_text(self.root)


class FoundFile(NamedTuple):
    """A regular file, passed from scanner to batcher. `path` is relative to the source, with `/` between its parts."""

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
        return path_text(self.path[self.path.rfind(b"/") + 1 :])

    @property
    def extension(self) -> str:
        """The extension of the name, as `extension_of` returns it."""
        return extension_of(self.name)


def extension_of(name: str) -> str:
    """Return the last suffix of a name in lower case, without its dot. It is empty for names like `.profile`."""
    stem = name.lstrip(".")
    dot = stem.rfind(".")
    return stem[dot + 1 :].lower() if dot >= 0 else ""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a file at the service: an asset and a category, or an object key.

    Only one file can have an `exclusive` place. A file that was uploaded to another place is uploaded again.
    """

    name: str
    exclusive: bool = False


class NameAtService(NamedTuple):
    """A file's name at a service that ignores case. In one `group`, such as an asset, no two may differ only by it."""

    group: str
    name: str

    @property
    def key(self) -> str:
        """The text that two names have in common if they differ only by case."""
        return f"the name {self.name.casefold()!r} in {self.group}"


Algorithm = Literal["md5", "sha256", "crc32c", "crc64nvme"]
DIGEST_BYTES: Mapping[Algorithm, int] = {"md5": 16, "sha256": 32, "crc32c": 4, "crc64nvme": 8}


ALGORITHM_NAMES: Mapping[Algorithm, str] = {
    "md5": "MD5",
    "sha256": "SHA-256",
    "crc32c": "CRC-32C",
    "crc64nvme": "CRC-64/NVME",
}


class Digest(NamedTuple):
    """A checksum of the bytes that were read, and the name of its algorithm. A CRC is in network byte order."""

    value: bytes
    algorithm: Algorithm = "md5"

    @property
    def hex(self) -> str:
        """Hex digits, as in an ETag or in the id of a Git LFS object."""
        return self.value.hex()

    @property
    def base64(self) -> str:
        """Base64, as in the headers Content-MD5 (RFC 1864) and x-amz-checksum-*."""
        return binascii.b2a_base64(self.value, newline=False).decode("ascii")

    @property
    def text(self) -> str:
        """The name of the algorithm and the hex digits, such as `sha256:e3b0...`."""
        return f"{self.algorithm}:{self.value.hex()}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the digest of a text that `text` has returned. Raises ValueError for any other."""
        algorithm, _, digits = text.partition(":")
        value = bytes.fromhex(digits)
        known = cast("Algorithm", algorithm)
        if DIGEST_BYTES.get(known) != len(value):
            raise ValueError("not a digest")
        return cls(value, known)
