"""Check files: the journal after each run, and at the end the tree, the manifest and the store."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_SHOWN = 10
# The reason of the unknown ids that a run records for the one before it.
_KILLED_CALL = "the call was cut off before its answer"
Row = dict[str, Any]


@dataclass(slots=True)
class Findings:
    """The number of files that are lost, recorded wrongly and recorded twice, with lines for the first few of them."""

    lost: int = 0
    wrong: int = 0
    twice: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str) -> None:
        """Add a finding."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{kind}: {what}")


class Ledger:
    """The files recorded as uploaded so far. They must stay recorded, with the same remote id."""

    def __init__(self, journal: str, findings: Findings) -> None:
        self._journal = journal
        self._findings = findings
        self._reported: set[str] = set()
        self.recorded: dict[str, str] = {}
        self.stored = 0  # files that storage has, and whose closing call is missing

    def after_run(self, out: str) -> None:
        """Read the journal after a run, and compare it with the state before and with the output of the run."""
        self.compare(self._read())
        with open(out, "rb") as lines:
            self.add_reported(lines)

    def compare(self, recorded: Mapping[str, str]) -> None:
        """Compare the recorded files with the earlier ones, and keep them."""
        for path, remote_id in self.recorded.items():
            if path not in recorded:
                self._findings.add("lost", f"{path} was recorded, and is no longer recorded")
            elif recorded[path] != remote_id:
                self._findings.add("twice", f"{path} was uploaded again after it was recorded")
        self.recorded = dict(recorded)

    def add_reported(self, lines: Iterable[bytes]) -> None:
        """Read the lines that a run printed. A kill may have cut the last one."""
        for line in lines:
            row = orjson.loads(line) if line.endswith(b"}\n") else {}
            if row.get("event") != "file" or row["status"] not in ("uploaded", "unverified") or row["unchanged"]:
                continue
            path = row["path"]
            if path in self._reported:
                self._findings.add("twice", f"{path} was reported as uploaded by two runs")
            if path not in self.recorded:
                self._findings.add("lost", f"{path} was reported as uploaded, and is not recorded")
            self._reported.add(path)

    def _read(self) -> dict[str, str]:
        # Not with bulkup's own reader: it is under test here, and takes ten times as long.
        query = "SELECT path, remote_id FROM files WHERE state IN ('uploaded', 'unverified')"
        address = f"file:{self._journal}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
                (self.stored,) = connection.execute("SELECT count(*) FROM files WHERE state = 'stored'").fetchone()
                return {os.fsdecode(path): remote_id for path, remote_id in connection.execute(query)}
        except sqlite3.OperationalError:
            if self.recorded:
                raise
            return {}  # the run was killed before it had made its journal or its tables


@dataclass(slots=True)
class Ids:
    """The ids that the journal names, and the numbers of unused and unknown ones. `after_kill` is the largest number of
    unknown ones that one run left."""

    named: set[str]
    unused: int = 0
    unknown: int = 0
    after_kill: int = 0


def ids_in(rows: Iterable[Row], uploaded: Iterable[str]) -> Ids:
    """Return the ids of uploaded files and of the rows of `bulkup orphans`."""
    ids = Ids(set(uploaded))
    for row in rows:
        if row["kind"] == "unknown":
            ids.unknown += row["count"]
            if row["reason"] == _KILLED_CALL:
                ids.after_kill = max(ids.after_kill, row["count"])
        else:
            ids.unused += row["kind"] == "unused"
            ids.named.add(row["remote_id"])
    return ids


def rows_in(lines: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows that `bulkup manifest` or `bulkup orphans` printed, without lines of the log."""
    rows = (orjson.loads(line) for line in lines if line.startswith(b"{"))
    yield from (row for row in rows if row.get("event", "orphan") == "orphan")


def verify(tree: str, rows: Iterable[Row], object_of: Callable[[Row], str], findings: Findings) -> int:
    """Compare tree, manifest and store, and return the number of files."""
    by_path: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        by_path[row["path"]].append(row)
    paths = [os.path.relpath(os.path.join(at, name), tree) for at, _, names in os.walk(tree) for name in names]
    for path in paths:
        _prove_file(tree, path, by_path.pop(path, []), object_of, findings)
    for path in by_path:
        findings.add("wrong", f"{path} is in the manifest, and no file")
    return len(paths)


def _prove_file(tree: str, path: str, rows: list[Row], object_of: Callable[[Row], str], findings: Findings) -> None:
    uploaded = [row for row in rows if row["status"] == "uploaded"]
    if not uploaded:
        findings.add("lost", f"{path} is not in the manifest as uploaded")
        return
    if len(rows) > 1:
        findings.add("twice", f"{path} has {len(rows)} lines in the manifest")
    for row in uploaded:
        stored = _md5(object_of(row))
        if stored is None:
            findings.add("lost", f"{path} has no object at the store")
        elif not stored == row["md5"] == _md5(os.path.join(tree, path)):
            findings.add("wrong", f"{path}: manifest {row['md5']}, object {stored}")


def _md5(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return None
