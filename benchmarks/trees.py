"""Trees of files for measurements. Contents are random, so that nothing can compress them."""

from __future__ import annotations

import hashlib
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass

_PER_FOLDER = 500
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder of files, their sizes in bytes, and the MD5 of every size. Files of one size have the same content."""

    root: str
    sizes: tuple[int, ...]
    digests: dict[int, str]

    @property
    def files(self) -> int:
        """Return the number of files."""
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        """Return the bytes of all files together."""
        return sum(self.sizes)

    def paths(self) -> list[str]:
        """Return the path of every file."""
        return [_path(self.root, number) for number in range(self.files)]


def make_tree(root: str, files: int, size: int) -> str:
    """Make `files` files of `size` bytes below `root`, with different contents, and return `root`."""
    pool = os.urandom(size + files)
    for number in range(files):
        path = _path(root, number)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(pool[number : number + size])
    return root


def make_known_tree(root: str, sizes: Sequence[int], seed: int = 1, parts: Sequence[int] = ()) -> Tree:
    """Make a file of each of these sizes. Its content is one random block, repeated and cut to the size.

    A store can then find the true MD5 of a body by its size alone, without computing it. Digests of `parts`, sizes in
    which a file may be sent, are known as well. Parts begin at a multiple of the block.
    """
    block = random.Random(seed).randbytes(_BLOCK)
    for number, size in enumerate(sizes):
        path = _path(root, number)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.writelines(block[: size - start] for start in range(0, size, _BLOCK))
    return Tree(root, tuple(sizes), {size: _digest(block, size) for size in {*sizes, *parts}})


def log_normal_sizes(files: int, median: int, sigma: float, most: int, seed: int = 1) -> list[int]:
    """Return `files` sizes in bytes from a log-normal distribution, none above `most`."""
    chance = random.Random(seed)
    return [min(most, 1 + round(chance.lognormvariate(math.log(median), sigma))) for _ in range(files)]


def _path(root: str, number: int) -> str:
    return os.path.join(root, f"{number // _PER_FOLDER:04d}", f"{number:07d}.mp4")


def _digest(block: bytes, size: int) -> str:
    digest = hashlib.md5()
    for start in range(0, size, _BLOCK):
        digest.update(block[: size - start])
    return digest.hexdigest()
