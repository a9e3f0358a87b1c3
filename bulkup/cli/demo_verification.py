"""The verification of the demonstration: file, manifest and stored object have the same digest."""

from __future__ import annotations

import collections
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.reports.safe_text import printable_path


@dataclass(frozen=True, slots=True)
class DemoVerification:
    """The result: the number of `files` on disk, their `size` in bytes, and the faults, one line each."""

    files: int
    size: int
    faults: tuple[str, ...]


def files_below(root: bytes) -> Iterator[bytes]:
    """Yield the regular files below `root`, relative to it. Does not use bulkup's scanner, in order to check it."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)


def verify_demo(root: bytes, manifest: Iterable[ManifestRow], objects: str) -> DemoVerification:
    """Compare the tree at `root` with the manifest, and both with the objects below `objects`."""
    rows: dict[bytes, list[ManifestRow]] = collections.defaultdict(list)
    for row in manifest:
        rows[row.path].append(row)
    paths = sorted(files_below(root))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = pool.map(lambda path: _fault(root, path, rows.get(path, []), os.fsencode(objects)), paths)
        wrong = [f"{printable_path(path)}: {fault}" for path, fault in zip(paths, faults, strict=True) if fault]
    wrong += [f"{printable_path(path)}: in the manifest, not on disk" for path in rows.keys() - set(paths)]
    wrong += _shared_objects(rows)
    size = sum(os.path.getsize(os.path.join(root, path)) for path in paths)
    return DemoVerification(len(paths), size, tuple(wrong))


def _fault(root: bytes, path: bytes, rows: list[ManifestRow], objects: bytes) -> str | None:
    if len(rows) != 1:
        return f"{len(rows)} times in the manifest"
    (row,) = rows
    if row.status is not FileState.UPLOADED or row.remote_id is None:
        return f"{row.status}" + (f", {row.error}" if row.error else "")
    try:
        source = _md5(os.path.join(root, path))
        stored = _md5(os.path.join(objects, os.fsencode(row.remote_id)))
    except OSError as error:
        return f"cannot be compared: {error.strerror}"
    return None if source == row.md5 == stored else f"MD5 of file {source}, manifest {row.md5}, object {stored}"


def _shared_objects(rows: dict[bytes, list[ManifestRow]]) -> list[str]:
    count = collections.Counter(row.remote_id for group in rows.values() for row in group if row.remote_id)
    return [f"{remote_id}: {number} files share this object" for remote_id, number in count.items() if number > 1]


def _md5(path: bytes) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
