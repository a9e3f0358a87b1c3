"""The tree that the demonstration uploads: realistic sizes, folders and names, the same in every run."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import random
from collections.abc import Iterator
from typing import Final

MIB = 1024**2
FILES: Final = 2000
_LARGEST = 64 * MIB
_SPECIAL_SIZES = (_LARGEST, *[0] * 10, *[1] * 20)
# Half of the files are smaller than 28 KiB. The others, up to the cap, make up nearly all of the bytes.
_MEDIAN = 28 * 1024
_SPREAD = 1.8
_CAP = 12 * MIB
_FOLDERS = 120
_DEPTH = 6
_SEED = 20_240_229
_NAMES = ("clip", "scan", "IMG", "take", "report", "mesh", "voice", "track", "page", "frame")
_EXTENSIONS = ("mp4", "mov", "jpg", "png", "wav", "mp3", "fbx", "pdf", "json", "txt", "tar.gz")
_ODD_NAMES = (
    "two  spaces and one at the end ",
    " a space in front.txt",
    "ünïcödé 漢字 🎬.mp4",
    "e\u0301 in two characters.txt",
    "#?%&+=;@!$'()[]{}~.png",
    "100%25 %00 %2e%2e%2f.txt",
    "line one\nline two.txt",
    "tab\tand\x1b[31mescape.log",
    "-rf",
    '"quoted" `and` \\back\\slashed\\.csv',
    "...dots...",
    ".hidden",
    "UPPER.JPG",
    "x" * 251 + ".bin",
    "é" * 125 + ".long",
    b"not UTF-8 \xe9\xff\x80.dat",
)


def make_tree(root: str) -> None:
    """Fill the directory `root`. A name that the file system refuses is replaced by a plain one."""
    chance = random.Random(_SEED)  # noqa: S311  # it has to be reproducible, not secret
    block = chance.randbytes(MIB)
    folders = _make_folders(os.fsencode(root), chance)
    names = _names(chance)
    for number, size in enumerate(_sizes(chance)):
        _write(chance.choice(folders), next(names), number, size, block)
    _make_links(os.fsencode(root), folders)


def _sizes(chance: random.Random) -> list[int]:
    common = (chance.lognormvariate(math.log(_MEDIAN), _SPREAD) for _ in range(FILES - len(_SPECIAL_SIZES)))
    sizes = [*_SPECIAL_SIZES, *(min(_CAP, max(1, int(size))) for size in common)]
    chance.shuffle(sizes)
    return sizes


def _make_folders(root: bytes, chance: random.Random) -> list[bytes]:
    folders, depths = [root], [0]
    while len(folders) < _FOLDERS:
        above = chance.randrange(len(folders))
        if depths[above] < _DEPTH:
            name = f"{chance.choice(_NAMES)} {len(folders)}".encode()
            folders.append(os.path.join(folders[above], name))
            depths.append(depths[above] + 1)
            os.mkdir(folders[-1])
    return folders


def _names(chance: random.Random) -> Iterator[bytes]:
    yield from (os.fsencode(name) for name in _ODD_NAMES)
    for number in range(FILES):
        yield f"{chance.choice(_NAMES)}_{number:04}.{chance.choice(_EXTENSIONS)}".encode()


def _write(folder: bytes, name: bytes, number: int, size: int, block: bytes) -> None:
    try:
        file = open(os.path.join(folder, name), "xb")  # noqa: SIM115  # closed below
    except OSError as error:
        if error.errno not in (errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG):
            raise
        file = open(os.path.join(folder, b"plain_%d" % number), "xb")  # noqa: SIM115  # the same
    with file:
        # The number in front makes files of more than a few bytes different.
        content = b"%08d" % number + block
        while size > 0:
            size -= file.write(content[:size])


def _make_links(root: bytes, folders: list[bytes]) -> None:
    """Create links to a folder, to the root (a loop), to nothing, and out of the tree. A run skips them all."""
    links = {
        b"link to a folder": folders[1],
        b"link in a loop": root,
        b"link to nothing": b"nothing",
        b"link out": b"/etc/hostname",
    }
    for name, target in links.items():
        with contextlib.suppress(OSError):  # a file system without links
            os.symlink(target, os.path.join(root, name))
