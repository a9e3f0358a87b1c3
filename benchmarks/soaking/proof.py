"""Proves files: what the journal holds from run to run, and in the end tree, manifest and store against one another."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_SHOWN = 10
Row = dict[str, Any]


@dataclass(slots=True)
class Findings:
    """How many files are lost, recorded wrongly, recorded twice; `examples` has a line for each of the first few."""

    lost: int = 0
    wrong: int = 0
    twice: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str) -> None:
        """Note one of a kind."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{kind}: {what}")


class Ledger:
    """What was recorded as uploaded so far. It stays recorded, and under the remote id it had."""

    def __init__(self, journal: str, findings: Findings) -> None:
        self._journal = journal
        self._findings = findings
        self._told: set[str] = set()
        self.recorded: dict[str, str] = {}
        self.stored = 0  # files whose bytes are recorded as taken, and whose closing call is still to come

    def after_run(self, out: str) -> None:
        """Read the journal once a run has ended, however it ended, and hold it against what was and what it printed."""
        self.compare(self._read())
        with open(out, "rb") as lines:
            self.told(lines)

    def compare(self, recorded: Mapping[str, str]) -> None:
        """Take in what is recorded now."""
        for path, remote_id in self.recorded.items():
            if path not in recorded:
                self._findings.add("lost", f"{path} was recorded, and is no longer")
            elif recorded[path] != remote_id:
                self._findings.add("twice", f"{path} was uploaded again after it was recorded")
        self.recorded = dict(recorded)

    def told(self, lines: Iterable[bytes]) -> None:
        """Take in the lines that a run printed; a kill may have cut the last one."""
        for line in lines:
            row = orjson.loads(line) if line.endswith(b"}\n") else {}
            if row.get("event") != "file" or row["status"] not in ("uploaded", "unverified") or row["unchanged"]:
                continue
            path = row["path"]
            if path in self._told:
                self._findings.add("twice", f"{path} was told as uploaded by two runs")
            if path not in self.recorded:
                self._findings.add("lost", f"{path} was told as uploaded, and is not recorded")
            self._told.add(path)

    def _read(self) -> dict[str, str]:
        # Not by the program's own reader: that is what is to be proven, and it takes ten times as long.
        query = "SELECT path, remote_id FROM files WHERE state IN ('uploaded', 'unverified')"
        address = f"file:{self._journal}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
                (self.stored,) = connection.execute("SELECT count(*) FROM files WHERE state = 'stored'").fetchone()
                return {os.fsdecode(path): remote_id for path, remote_id in connection.execute(query)}
        except sqlite3.OperationalError:
            if self.recorded:
                raise
            return {}  # the run was killed before it had made its journal, or the tables in it


def prove(tree: str, rows: Iterable[Row], object_of: Callable[[Row], str], findings: Findings) -> int:
    """Hold tree, manifest and store against one another, and return how many files there are."""
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
