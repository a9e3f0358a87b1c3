"""Journals for the tests of the dashboard, written row by row, and a client that has its token."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from bulkup.dashboard.dashboard_options import DashboardOptions
from bulkup.dashboard.dashboard_server import DashboardConfig, DashboardServer
from bulkup.journal.database import open_for_writing
from bulkup.pipeline.policy.common_refusals import alike

NOW = 1_700_000_000.0
ROOT = b"/data/media"
_COLUMNS = (
    "destination_id, source_id, path, state, size, mtime_ns, ctime_ns, inode, device, md5, remote_id, verified, "
    "attempts, error, uploaded_at, run_id"
)
_FILE = f"INSERT INTO files ({_COLUMNS}) VALUES ({', '.join('?' * 16)})"
QUICK = DashboardOptions(watch_interval=0.05, heartbeat=0.3, index_rest_least=0.0, index_rest=0.0, retry_poll=0.05)


class AFile(NamedTuple):
    """A file of a journal. Without an error it is uploaded."""

    path: bytes
    error: str | None = None
    state: str = ""
    size: int = 1000
    attempts: int = 1
    run: int = 1


def make_journal(
    path: Path,
    files: Iterable[AFile] = (),
    *,
    runs: Sequence[int | None] = (0,),
    root: bytes = ROOT,
    provider: str = "magic-hour",
    summary: dict[str, Any] | None = None,
    began: float = NOW,
    apart: float = 3600,
) -> Path:
    """Write a journal whose runs ended with these exit codes (None: cut off). They are `apart` seconds apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = open_for_writing(str(path))
    with contextlib.closing(connection):
        connection.execute("BEGIN")
        connection.execute("INSERT INTO destinations VALUES (1, ?, 'https://api.example', '')", (provider,))
        connection.execute("INSERT INTO sources (id, root) VALUES (1, ?)", (root,))
        for number, code in enumerate(runs, start=1):
            add_run(connection, number, code, root=root, summary=summary, start=began + apart * number)
        connection.executemany(_FILE, (_row(number, file) for number, file in enumerate(files)))
        connection.execute("COMMIT")
    return path


def add_run(
    connection: Any,
    number: int,
    code: int | None,
    *,
    root: bytes = ROOT,
    summary: dict[str, Any] | None = None,
    start: float | None = None,
) -> str:
    """Add a run, and return its id."""
    run = f"{number:032x}"
    start = NOW + 3600 * number if start is None else start
    figures = {"files": {"found": 10, "uploaded": 9, "failed": 1, "skipped": 0}, "bytes": {"found": 9, "uploaded": 8}}
    text = json.dumps({"event": "summary", "exit_code": code, **figures, **(summary or {})})
    ended = None if code is None else start + 60
    values = (number, run, json.dumps([root.hex()]), start, ended, code, None if code is None else text)
    connection.execute(
        "INSERT INTO runs (id, run, destination_id, sources, started_at, ended_at, exit_code, summary) "
        "VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
        values,
    )
    return run


def _row(number: int, file: AFile) -> tuple[Any, ...]:
    state = file.state or ("failed" if file.error is not None else "uploaded")
    done = state in ("uploaded", "unverified")
    return (
        *(1, 1, file.path, state, file.size, 1, 1, number, 1, b"m" * 16 if done else None),
        *(f"id-{number}" if done else None, 1, file.attempts, file.error, NOW + number if done else None, file.run),
    )


class Page:
    """The requests of a page that has the token."""

    def __init__(self, server: DashboardServer, session: aiohttp.ClientSession) -> None:
        self.url = server.url
        self.token = server.secret_url.reveal().partition("#token=")[2]
        self._session = session

    async def get(self, path: str, status: int = 200, **parameters: str) -> Any:
        """Return the answer to a request for data."""
        async with self._session.get(f"{self.url}api/{path}", params=parameters, headers=self.headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def post(self, path: str, value: Any, status: int = 200) -> Any:
        """Return the answer to an action."""
        headers = {**self.headers, "Origin": self.url.rstrip("/"), "Content-Type": "application/json"}
        async with self._session.post(f"{self.url}api/{path}", data=json.dumps(value), headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def ready(self, path: str, **parameters: str) -> Any:
        """Return the answer to a request for which the journal must have been read."""
        while True:
            value = await self.get(path, 200, **parameters)
            if value["reading"] is None:
                return value

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncGenerator[AsyncGenerator[tuple[str, Any], None], None]:
        """Subscribe to the events, each with its kind."""
        async with self._session.get(f"{self.url}api/events", headers=self.headers) as answer:
            assert answer.status == 200
            yield _events_of(answer)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the token."""
        return {"Authorization": f"Bearer {self.token}"}


async def _events_of(answer: aiohttp.ClientResponse) -> AsyncGenerator[tuple[str, Any], None]:
    while line := await answer.content.readline():
        kind = line.decode().removeprefix("event: ").strip()
        data = (await answer.content.readline()).decode().removeprefix("data: ")
        await answer.content.readline()
        yield kind, json.loads(data)


def no_retry(journal: str, source: bytes) -> Sequence[str]:
    """Stand in for the command of a retry where no test starts one."""
    raise AssertionError(f"a retry of {journal} {source!r}")


@contextlib.asynccontextmanager
async def opened(
    folder: Path | None, *journals: Path, options: DashboardOptions = QUICK, retry: Any = no_retry, port: int = 0
) -> AsyncGenerator[Page, None]:
    """Run the dashboard over the journals of a folder and others, and yield a page that has its token."""
    config = DashboardConfig(
        folder=None if folder is None else str(folder),
        journals=tuple(map(str, journals)),
        alike=alike,
        retry_command=retry,
        port=port,
        options=options,
    )
    async with DashboardServer(config) as server, aiohttp.ClientSession() as session:
        yield Page(server, session)
