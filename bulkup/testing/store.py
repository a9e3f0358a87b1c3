"""A store for the imitation of a service: it signs upload URLs, takes bytes, and can be made to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from bulkup.localserver import FaultSpec, LocalServer, ServerConfig


class Store:
    """The store of a running embedded server. `open_store` starts one."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def upload_url(self, key: str, seconds: int = 3600) -> str:
        """Return a presigned URL. A PUT within `seconds` stores the object `key`, which may contain slashes."""
        return self._server.presign_put(key, seconds)

    def objects(self) -> dict[str, bytes]:
        """Return all stored objects by key."""
        root = Path(self._server.objects_dir)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}

    @property
    def puts(self) -> int:
        """The number of PUTs that were completed."""
        return self._server.stats()["puts_completed"]

    def fail(self, *faults: str, seed: int = 0) -> None:
        """Replace the faults, each `NAME[=SHARE][,first=N]` as `bulkup serve --fault` takes them; none ends them.

        Faults of APIs have no effect: the server has no part in the imitated one.
        """
        self._server.set_faults([FaultSpec.parse(text) for text in faults], seed)


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[Store]:
    """Start a store that keeps its objects below a folder, on a free port of this machine."""
    async with LocalServer(ServerConfig(store=str(folder))) as server:
        yield Store(server)


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())
