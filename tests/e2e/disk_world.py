"""Disks for the tests of power cuts and full disks: one that loses unflushed data, and one that fails.

`disk_shim.c` is loaded into the command and logs its file operations in order. `rebuilt` makes from that log the disk
as it could be after a power cut. Flushed data is always there. Of later data, a chosen share of the sectors is there. A
name is on the disk once its directory was flushed.
"""

from __future__ import annotations

import atexit
import functools
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import pytest

SHIM = Path(__file__).with_name("disk_shim.c")
_CONTROL = ".sqlite3.control"
_HEAD = struct.Struct("=IIQqII")


class Op(IntEnum):
    """The operation of a record of the log."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    RENAME = 5
    UNLINK = 6
    MKDIR = 7
    PRINT = 8
    MAPPED = 9


class Record(NamedTuple):
    """One operation on `path`. A WRITE has `data` at `offset`; the data of a RENAME is the new name."""

    op: Op
    pid: int
    inode: int
    offset: int
    path: str
    data: bytes


@functools.cache
def shim() -> str:
    """Compile the shim, once per process. Without a compiler the test fails: it must not be skipped unnoticed."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the disk's shim is for Linux")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.fail("these tests compile a small C library: install a C compiler (apt-get install gcc libc6-dev)")
    folder = tempfile.mkdtemp(prefix="bulkup-shim-")
    atexit.register(shutil.rmtree, folder)
    library = Path(folder) / "shim.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SHIM), "-ldl", "-lpthread"], check=True)
    return str(library)


def fault(operation: str, part: str, code: int, *, skip: int = 0, count: int = -1) -> str:
    """Return a rule that fails `count` operations on paths with `part`, after `skip` of them; -1 means all."""
    return f"{operation},{part},{skip},{count},{code}"


def failing(*faults: str) -> dict[str, str]:
    """Return the environment of a command whose disk fails."""
    return {"LD_PRELOAD": shim(), "DISK_FAIL": ";".join(faults)}


def recording(log: Path, *folders: Path) -> dict[str, str]:
    """Return the environment of a command whose file operations below the folders are logged in `log`."""
    return {"LD_PRELOAD": shim(), "DISK_LOG": str(log), "DISK_UNDER": ":".join(map(str, folders))}


def read_log(log: Path) -> list[Record]:
    """Return the records of a log, except those of control sockets.

    A socket has no bytes, and the next run replaces it. The shim logs only some of its operations.
    """
    data, at, records = log.read_bytes(), 0, []
    while at < len(data):
        op, pid, inode, offset, path_length, data_length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        path = os.fsdecode(data[at : at + path_length])
        at += path_length
        if _CONTROL not in path:
            records.append(Record(Op(op), pid, inode, offset, path, data[at : at + data_length]))
        at += data_length
    return records


@dataclass(frozen=True)
class Loss:
    """The share of unflushed data that survives a power cut.

    Each `sector` of a write, each change of a size and each name survives with the probability `kept`. Lost bytes of a
    file that grew read as zeros, or as noise.
    """

    kept: float
    sector: int = 4096
    noise: bool = False
    seed: int = 0


ALL_UNFLUSHED_LOST = Loss(0.0)
NOTHING_LOST = Loss(1.0)  # as after SIGKILL


@dataclass
class _File:
    flushed: bytearray = field(default_factory=bytearray)
    unflushed: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: truncated or extended to that size

    def flush(self) -> None:
        for offset, data in self.unflushed:
            _put(self.flushed, offset, data)
        self.unflushed.clear()

    def after(self, loss: Loss, chance: random.Random) -> bytes:
        content = bytearray(self.flushed)
        for offset, data in self.unflushed:
            if data is None:
                if chance.random() < loss.kept:
                    _put(content, offset, None)
                continue
            for start, piece in _sectors(offset, data, loss.sector):
                if chance.random() < loss.kept:
                    _put(content, start, piece)
                elif loss.noise and start >= len(content):
                    _put(content, start, chance.randbytes(len(piece)))
        return bytes(content)


@dataclass
class _Folder:
    flushed: dict[str, _File | _Folder] = field(default_factory=dict)
    unflushed: list[tuple[str, _File | _Folder | None]] = field(default_factory=list)

    def flush(self) -> None:
        for name, node in self.unflushed:
            _name(self.flushed, name, node)
        self.unflushed.clear()

    def after(self, loss: Loss, chance: random.Random) -> dict[str, _File | _Folder]:
        names = dict(self.flushed)
        for name, node in self.unflushed:
            if chance.random() < loss.kept:
                _name(names, name, node)
        return names


def rebuilt(records: Sequence[Record], root: str, loss: Loss) -> dict[str, bytes]:
    """Return the files below `root` after a power cut. The directory was empty before.

    `records` are the operations before the cut. The paths are relative.
    """
    folders, files = {root: _Folder()}, dict[str, _File]()
    for record in records:
        if record.path == root or record.path.startswith(root + "/"):
            _apply(record, folders, files)
    found: dict[str, bytes] = {}
    _collect(folders[root], "", loss, random.Random(loss.seed), found)
    return found


def _apply(record: Record, folders: dict[str, _Folder], files: dict[str, _File]) -> None:
    path = record.path
    folder, name = os.path.split(path)
    match record.op:
        case Op.CREATE:
            files[path] = _File()
            folders[folder].unflushed.append((name, files[path]))
        case Op.MKDIR:
            folders[path] = _Folder()
            folders[folder].unflushed.append((name, folders[path]))
        case Op.UNLINK:
            folders[folder].unflushed.append((name, None))
        case Op.WRITE:
            files[path].unflushed.append((record.offset, record.data))
        case Op.TRUNCATE:
            files[path].unflushed.append((record.offset, None))
        case Op.SYNC:
            (folders[path] if path in folders else files[path]).flush()
        case Op.MAPPED:
            assert path.endswith("-shm"), f"{path} is written through a mapping, which the shim cannot log"
        case _:
            raise AssertionError(f"{record.op.name} of {path}: the model has no such operation")


def _collect(folder: _Folder, at: str, loss: Loss, chance: random.Random, found: dict[str, bytes]) -> None:
    for name, node in folder.after(loss, chance).items():
        path = os.path.join(at, name)
        if isinstance(node, _Folder):
            _collect(node, path, loss, chance, found)
        else:
            # SQLite rebuilds its shared-memory index, so after a cut it may hold anything.
            found[path] = chance.randbytes(32768) if name.endswith("-shm") else node.after(loss, chance)


def _name(names: dict[str, _File | _Folder], name: str, node: _File | _Folder | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _put(content: bytearray, offset: int, data: bytes | None) -> None:
    end = offset if data is None else offset + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[end:]
    else:
        content[offset:end] = data


def _sectors(offset: int, data: bytes, sector: int) -> list[tuple[int, bytes]]:
    """Split a write at the disk's sector boundaries."""
    pieces, start = [], offset
    while start < offset + len(data):
        end = min(start - start % sector + sector, offset + len(data))
        pieces.append((start, data[start - offset : end - offset]))
        start = end
    return pieces


def lay_out(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files as `rebuilt` returns them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
