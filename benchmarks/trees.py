"""Trees of files to measure with: random bytes, so that nothing on the way can be clever about them."""

from __future__ import annotations

import os

_PER_FOLDER = 500


def make_tree(root: str, files: int, size: int) -> str:
    """Make `files` files of `size` bytes below `root`, each with contents of its own, and return `root`."""
    pool = os.urandom(size + files)
    for number in range(files):
        folder = os.path.join(root, f"{number // _PER_FOLDER:04d}")
        if number % _PER_FOLDER == 0:
            os.makedirs(folder)
        with open(os.path.join(folder, f"{number:07d}.mp4"), "wb") as file:
            file.write(pool[number : number + size])
    return root
