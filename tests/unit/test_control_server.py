"""The control socket while a run is under way: no client can hurt the run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from structlog.testing import capture_logs

from bulkup.api.control.control_client import ControlClient
from bulkup.api.control.control_messages import Request
from bulkup.api.control.control_server import ControlOptions, ControlServer, serving
from bulkup.api.control.control_socket import control_path
from bulkup.api.control.run_controls import RunControls
from bulkup.errors import UsageError
from bulkup.model.log_events import LogEvent


class FakeControls:
    """Keeps the requests in `carried`. The size of the progress is `size`; `error` fails the next request."""

    def __init__(self) -> None:
        self.carried: list[Request] = []
        self.stopped: list[bool] = []
        self.size = 1
        self.error: Exception | None = None

    def progress(self) -> dict[str, Any]:
        return {"run": "r" * self.size}

    def carry_out(self, request: Request) -> dict[str, Any]:
        self.carried.append(request)
        if self.error is not None:
            raise self.error
        return {"ok": True, "progress": self.progress()}

    def stop(self, at_once: bool) -> None:
        self.stopped.append(at_once)


class Place:
    """A socket that is served, and what its run was asked to do."""

    def __init__(self, journal: str, server: ControlServer, controls: FakeControls) -> None:
        self.journal = journal
        self.server = server
        self.controls = controls

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection that the caller closes."""
        return await asyncio.open_unix_connection(control_path(self.journal))


@contextlib.asynccontextmanager
async def place(folder: Path, **options: Any) -> AsyncGenerator[Place, None]:
    controls = FakeControls()
    journal = str(folder / "journal")
    async with serving(journal, cast("RunControls", controls), ControlOptions(**options)) as server:
        assert server is not None
        with anyio.fail_after(60):
            yield Place(journal, server, controls)
    assert os.listdir(folder) == []


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_requests_on_one_connection(tmp_path: Path) -> None:
    """Each gets one line, also one that is no request."""
    async with place(tmp_path) as here:
        reader, writer = await here.connect()
        writer.write(b'{"do": "pause"}\nnonsense\n{"do": "progress"}\n')
        answers = [json.loads(await reader.readline()) for _ in range(3)]
        assert answers[0] == answers[2] == {"ok": True, "progress": {"run": "r"}}
        assert answers[1] == {"ok": False, "error": "expected one JSON object in a line"}
        assert here.controls.carried == [Request("pause"), Request("progress")]
        await closed(writer)


async def test_an_endless_line(tmp_path: Path) -> None:
    async with place(tmp_path, line=1000) as here:
        reader, writer = await here.connect()
        writer.write(b"x" * 100_000)
        assert json.loads(await reader.readline()) == {"ok": False, "error": "a request has at most 1,000 bytes"}
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await closed(writer)


async def test_a_client_that_sends_no_whole_line_is_dropped(tmp_path: Path) -> None:
    async with place(tmp_path, idle=0.05) as here:
        reader, writer = await here.connect()
        writer.write(b'{"do"')
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await closed(writer)


async def test_a_client_that_reads_nothing_is_dropped(tmp_path: Path) -> None:
    """Lines are not kept for it without end."""
    async with place(tmp_path, reading=0.05, buffered=1000, clients=1) as here:
        here.controls.size = 1_000_000
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(control_path(here.journal))
            deaf.sendall(b'{"do": "watch", "every": 0.1}\n')
            while True:  # until there is room for another client
                reader, writer = await here.connect()
                writer.write(b'{"do": "nothing"}\n')
                with contextlib.suppress(ConnectionError):
                    if await reader.readline():
                        break
                await closed(writer)
                await anyio.sleep(0.01)
            await closed(writer)


async def test_there_are_only_some_clients(tmp_path: Path) -> None:
    """A further one is closed at once. When one has gone, there is room again."""
    async with place(tmp_path, clients=2) as here:
        async with ControlClient(here.journal) as first, ControlClient(here.journal) as second:
            await first.ask("progress")
            await second.ask("progress")
            with pytest.raises(UsageError, match="too many clients"):
                async with ControlClient(here.journal) as third:
                    await third.ask("progress")
        answered = False
        while not answered:
            with contextlib.suppress(UsageError):
                async with ControlClient(here.journal) as later:
                    answered = bool(await later.ask("progress"))


async def test_a_bug_costs_a_client_its_connection_and_nothing_else(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.controls.error = ZeroDivisionError()
        with capture_logs() as logs, pytest.raises(UsageError, match="ended"):
            async with ControlClient(here.journal) as run:
                await run.ask("progress")
        assert [(line["event"], line["kind"]) for line in logs] == [(LogEvent.CONTROL_FAILED, "ZeroDivisionError")]
        here.controls.error = UsageError("not so", hint="but so")
        async with ControlClient(here.journal) as run:
            with pytest.raises(UsageError, match="not so") as refused:
                await run.ask("bwlimit", value="x")
        assert refused.value.hint == "but so"


async def test_stop_at_once_is_answered_first(tmp_path: Path) -> None:
    """The process ends in the call."""
    async with place(tmp_path) as here, ControlClient(here.journal) as run:
        assert (await run.ask("stop", now=True))["ok"]
        while not here.controls.stopped:
            await anyio.sleep(0.001)
        assert here.controls.stopped == [True]


async def test_watching_until_the_end(tmp_path: Path) -> None:
    """The last line says that the run has ended, and with which exit code."""
    async with place(tmp_path) as here, ControlClient(here.journal) as run:
        answers = []
        async for answer in run.watch(0.1):
            answers.append(answer)
            if len(answers) == 2:
                await here.server.end(3)
        assert [answer.get("exit_code") for answer in answers] == [None, None, 3]


async def test_watching_a_run_that_is_killed(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(tmp_path))
        async with ControlClient(here.journal) as run, contextlib.aclosing(run.watch(0.1)) as lines:
            await anext(lines)
            await stack.aclose()
            with pytest.raises(UsageError, match="the run has ended"):
                await anext(lines)


async def test_a_watching_client_that_closes_has_no_task(tmp_path: Path) -> None:
    """Its place is free for another one."""
    async with place(tmp_path, clients=1) as here:
        for _ in range(3):
            answered = False
            while not answered:
                with contextlib.suppress(UsageError):
                    async with ControlClient(here.journal) as run, contextlib.aclosing(run.watch(60.0)) as lines:
                        answered = (await anext(lines))["ok"]


async def test_a_socket_that_cannot_be_made_is_a_warning(tmp_path: Path) -> None:
    with capture_logs() as logs:
        controls = cast("RunControls", FakeControls())
        async with serving(str(tmp_path / "missing" / "journal"), controls) as server:
            assert server is None
    assert [(line["event"], line["log_level"]) for line in logs] == [(LogEvent.CONTROL_UNAVAILABLE, "warning")]
