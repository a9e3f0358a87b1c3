"""A source, an embedded server in this event loop, and runs over both: what the pipeline's tests are written with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkup import FileState, Result, Settings, Summary, Uploader
from bulkup.journal import Reader
from bulkup.localserver import FaultSpec, LocalServer, ServerConfig
from bulkup.records import ManifestRow, OrphanRow

TOKEN = "local-token"
API_KEY = "local-api-key-0001"
PREFIX = {"magic-hour": "", "move-ugc": "file-production-storage/", "local": ""}


@dataclass
class World:
    """One source and one journal against one server. `settings` hold for every run unless a run says otherwise."""

    folder: Path
    server: LocalServer
    provider: str = "magic-hour"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "journal.sqlite3"

    def write(self, files: Mapping[str | bytes, bytes]) -> None:
        for name, content in files.items():
            path = os.path.join(os.fsencode(self.source), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)

    def write_many(self, count: int, size: int = 500, extension: str = "mp4") -> None:
        """Write that many files, each with content of its own."""
        names = (f"d{number % 7}/{number:04}.{extension}" for number in range(count))
        self.write({name: (name.encode() * (size // 10 + 1))[:size] for name in names})

    def faults(self, *texts: str, seed: int = 0) -> None:
        self.server.set_faults([FaultSpec.parse(text) for text in texts], seed)

    def uploader(self, **changes: Any) -> Uploader:
        values: dict[str, Any] = {
            "source": (str(self.source),),
            "provider": self.provider,
            "journal": str(self.journal),
            "base_url": self.server.url,
            "token": TOKEN,
            "api_key": API_KEY,
            "concurrency": 8,
        }
        return Uploader(Settings(**(values | self.settings | changes)), environ={})

    async def run(self, **changes: Any) -> Summary:
        """Run to the end; what holds for every run is checked here."""
        async with self.uploader(**changes) as uploader:
            summary = await uploader.run()
        assert_adds_up(summary)
        return summary

    async def results(self, **changes: Any) -> tuple[list[Result], Summary]:
        async with self.uploader(**changes) as uploader:
            results = [result async for result in uploader.results()]
        assert_adds_up(uploader.summary)
        return results, uploader.summary

    @property
    def puts(self) -> int:
        return self.server.stats()["puts_completed"]

    @property
    def calls(self) -> int:
        return self.server.stats()["presign_calls"]

    def manifest(self) -> list[ManifestRow]:
        """Return the journal's files; none where a run was cut off before it had a journal."""
        if not self.journal.exists():
            return []
        with Reader(str(self.journal)) as reader:
            return list(reader.manifest())

    def orphans(self) -> list[OrphanRow]:
        with Reader(str(self.journal)) as reader:
            return list(reader.orphans())

    def states(self) -> dict[bytes, FileState]:
        return {row.path: row.status for row in self.manifest()}

    def stored(self, remote_id: str | None) -> bytes:
        """Return what the store holds for a remote id of the manifest."""
        assert remote_id is not None
        key = PREFIX.get(self.provider, "") + remote_id.removeprefix("file-")
        if self.provider == "move-ugc":
            stem = os.path.join(self.server.objects_dir, key)
            folder, name = os.path.split(stem)
            (found,) = [entry for entry in os.listdir(folder) if entry.startswith(name)]
            key = os.path.join(PREFIX["move-ugc"], found)
        return Path(self.server.objects_dir, key).read_bytes()

    def assert_uploaded(self, *missing: bytes) -> None:
        """Every file of the source but `missing` is recorded once, and stored byte by byte as it is on disk."""
        expected = {path: data for path, data in read_tree(self.source).items() if path not in missing}
        done = [row for row in self.manifest() if row.status is FileState.UPLOADED]
        assert sorted(row.path for row in done) == sorted(expected)
        assert len({row.remote_id for row in done}) == len(done)
        for row in done:
            data = expected[row.path]
            assert row.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
            assert row.size == len(data)
            assert self.stored(row.remote_id) == data


def read_tree(root: Path) -> dict[bytes, bytes]:
    """Return all files below a directory, by relative path."""
    top, found = os.fsencode(root), {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


def assert_adds_up(summary: Summary) -> None:
    """Files found are the sum of what became of them (DESIGN section 7)."""
    files = summary.as_dict()["files"]
    parts = ("skipped", "uploaded", "failed", "rejected", "changed", "unreadable", "remaining")
    assert files["found"] == sum(files[part] for part in parts)
    assert min(files.values()) >= 0


@asynccontextmanager
async def world(
    folder: Path, provider: str = "magic-hour", *, faults: Sequence[str] = (), seed: int = 0, **server: Any
) -> AsyncGenerator[World, None]:
    """Start a server on a fresh folder, with an empty source beside it."""
    (folder / "source").mkdir(parents=True)
    specs = tuple(FaultSpec.parse(text) for text in faults)
    config = ServerConfig(store=str(folder / "store"), faults=specs, seed=seed, **server)
    async with LocalServer(config) as running:
        yield World(folder, running, provider)
