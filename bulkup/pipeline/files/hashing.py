"""The checksum algorithms: of bytes in memory, and of bytes that arrive piece by piece.

MD5 and SHA-256 come from the standard library. The CRCs come from the package awscrt, which is imported at the first
use: it takes a tenth of a second, and only the extra `checksums` installs it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from bulkup.errors import UsageError
from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest

MD5_ONLY: tuple[Algorithm, ...] = ("md5",)
_BY_AWSCRT = frozenset({"crc32c", "crc64nvme"})


class Hash(Protocol):
    """A checksum in progress."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add bytes."""

    def copy(self) -> Self:
        """Return a copy, with the same bytes added."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes added."""


class RunningDigests:
    """The checksums in progress of one file, by several algorithms in one pass."""

    __slots__ = ("_algorithms", "_hashes")

    def __init__(self, algorithms: Sequence[Algorithm], hashes: Sequence[Hash] | None = None) -> None:
        self._algorithms = algorithms
        self._hashes = [_new_hash(algorithm) for algorithm in algorithms] if hashes is None else hashes

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        for one in self._hashes:
            one.update(data)

    def copy(self) -> RunningDigests:
        """Return a copy, with the same bytes added."""
        return RunningDigests(self._algorithms, [one.copy() for one in self._hashes])

    def digests(self) -> tuple[Digest, ...]:
        """Return the digests of all bytes added, in the order of the algorithms."""
        pairs = zip(self._hashes, self._algorithms, strict=True)
        return tuple(Digest(one.digest(), algorithm) for one, algorithm in pairs)


def digests_of_data(data: bytes | bytearray, algorithms: Sequence[Algorithm]) -> tuple[Digest, ...]:
    """Return the digests of bytes in memory, in the order of the algorithms."""
    running = RunningDigests(algorithms)
    running.update(data)
    return running.digests()


def require_algorithms(algorithms: Sequence[Algorithm]) -> None:
    """Raise UsageError if an algorithm needs a package that is not installed. It imports the package."""
    for algorithm in algorithms:
        if algorithm in _BY_AWSCRT:
            try:
                importlib.import_module("awscrt.checksums")
            except ImportError as error:
                what = f"the checksum {algorithm} needs the package awscrt, which is not installed"
                raise UsageError(what, hint="install it with: pip install 'bulkup[checksums]'") from error


def _new_hash(algorithm: Algorithm) -> Hash:
    if algorithm == "md5":
        return hashlib.md5(usedforsecurity=False)
    if algorithm == "sha256":
        return hashlib.sha256()
    return _Crc(_crc_function(algorithm), DIGEST_BYTES[algorithm])


@functools.cache
def _crc_function(algorithm: str) -> Callable[[bytes | bytearray | memoryview, int], int]:
    function: Callable[[bytes | bytearray | memoryview, int], int]
    function = getattr(importlib.import_module("awscrt.checksums"), algorithm)
    return function


class _Crc:
    """A CRC in progress, with the interface of hashlib."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(
        self, function: Callable[[bytes | bytearray | memoryview, int], int], size: int, value: int = 0
    ) -> None:
        self._function = function
        self._size = size
        self._value = value

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def copy(self) -> Self:
        return type(self)(self._function, self._size, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")
