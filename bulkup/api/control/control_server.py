"""Serves the control socket of a run: one line for each request, one for each answer.

A client cannot hurt the upload. There are at most some clients at a time, a line has a length, and a client that sends
no whole line or reads nothing for a while is dropped. An answer takes a fraction of a millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from bulkup.api.control.control_messages import Request, parse_request, refusal
from bulkup.api.control.control_socket import BoundSocket, may_control, peer_user
from bulkup.errors import UsageError
from bulkup.helpers.event_logger import EventLogger
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.log_events import LogEvent
from bulkup.reports.json_text import dumps

_log = EventLogger("bulkup.control")


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """The limits of clients. Times in seconds, sizes in bytes.

    A client has `idle` for a line, and `reading` to take an answer once `buffered` bytes wait. Where no connection can
    be accepted, as without free descriptors, the next try comes after `pause`. At the end of the run, watching clients
    have `last_line` to take the last line.
    """

    clients: int = 16
    line: int = 16 * 1024
    idle: float = 60.0
    reading: float = 5.0
    buffered: int = 64 * 1024
    pause: float = 1.0
    last_line: float = 1.0


class Controls(Protocol):
    """What a client can ask of a run (`run_controls`), or of a watch over many runs (`watch.watch_controls`)."""

    @property
    def stop(self) -> Callable[[bool], None]:
        """The function that ends the run: in order, or at once where its argument says so."""
        ...

    def progress(self) -> dict[str, Any]:
        """Return the progress with the limits."""
        ...

    def carry_out(self, request: Request) -> dict[str, Any]:
        """Return the answer to a request. Raises `UsageError` for a value that cannot be used."""
        ...


class ControlServer:
    """Answers clients, while `work` runs."""

    def __init__(self, listener: socket.socket, controls: Controls, options: ControlOptions) -> None:
        self._listener = listener
        self._controls = controls
        self._options = options
        self._clients = 0
        self._watching = 0
        self._end: dict[str, Any] | None = None
        self._ended = asyncio.Event()
        self._all_told = asyncio.Event()

    async def work(self) -> None:
        """Accept clients until cancelled."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listener)
                except OSError:
                    await anyio.sleep(self._options.pause)
                    continue
                self._admit(tasks, connection)

    async def end(self, exit_code: int) -> None:
        """Send the last line to watching clients: the run has ended."""
        self._end = {"ok": True, "ended": True, "exit_code": exit_code, "progress": self._controls.progress()}
        self._ended.set()
        if self._watching:
            with anyio.move_on_after(self._options.last_line):
                await self._all_told.wait()

    def _admit(self, tasks: TaskGroup, connection: socket.socket) -> None:
        if self._clients >= self._options.clients or not may_control(peer_user(connection), os.geteuid()):
            connection.close()
            return
        self._clients += 1
        tasks.start_soon(self._serve, connection)

    async def _serve(self, connection: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=self._options.line)
        except OSError:
            connection.close()
            self._clients -= 1
            return
        writer.transport.set_write_buffer_limits(high=self._options.buffered)
        client = _Client(reader, writer, self._options)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                while (line := await client.line()) is not None:
                    await self._answer(client, line)
        except Exception as error:  # noqa: BLE001  # a bug here must not end the upload
            _log.error(LogEvent.CONTROL_FAILED, kind=type(error).__name__)
        finally:
            client.close()
            self._clients -= 1

    async def _answer(self, client: _Client, line: bytes) -> None:
        try:
            request = parse_request(line)
            answer = None if request.do == "watch" else self._controls.carry_out(request)
        except UsageError as error:
            await client.send(refusal(error))
            return
        if answer is None:
            await self._watch(client, request.every)
            return
        await client.send(answer)
        if request.do == "stop" and request.now:
            await client.flush()
            self._controls.stop(True)

    async def _watch(self, client: _Client, every: float) -> None:
        """Send the progress until the client closes or the run ends."""
        self._watching += 1
        try:
            while self._end is None:
                await client.send({"ok": True, "progress": self._controls.progress()})
                if await client.closes_within(every, self._ended):
                    return
            await client.send(self._end)
            await client.flush()
        finally:
            self._watching -= 1
            if not self._watching:
                self._all_told.set()
        raise ConnectionAbortedError  # the run has ended


class _Client:
    """One connection. Its methods raise OSError or TimeoutError where the client is to be dropped."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: ControlOptions) -> None:
        self._reader = reader
        self._writer = writer
        self._options = options

    async def line(self) -> bytes | None:
        """Return the next line, None at the end."""
        try:
            with anyio.fail_after(self._options.idle):
                return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            await self.send(refusal(UsageError(f"a request has at most {self._options.line:,} bytes")))
            await self.flush()
            return None

    async def send(self, answer: Mapping[str, Any]) -> None:
        """Write an answer as a line; wait only where the client has not read earlier ones."""
        self._writer.write(dumps(answer) + b"\n")
        with anyio.fail_after(self._options.reading):
            await self._writer.drain()

    async def flush(self) -> None:
        """Wait until the system has taken all lines."""
        self._writer.transport.set_write_buffer_limits(high=0)
        with anyio.fail_after(self._options.reading):
            await self._writer.drain()

    async def closes_within(self, seconds: float, ended: asyncio.Event) -> bool:
        """Wait for some seconds, or for `ended`. Return whether the client closed; what it sends is dropped."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_end_with, ended, tasks)
            with anyio.move_on_after(seconds):
                while await self._reader.read(self._options.line):
                    pass
                tasks.cancel_scope.cancel()
                return True
            tasks.cancel_scope.cancel()
        return False

    def close(self) -> None:
        """Close the connection; lines that the client has not taken are lost."""
        self._writer.transport.abort()


async def _end_with(ended: asyncio.Event, tasks: TaskGroup) -> None:
    await ended.wait()
    tasks.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def serving(
    journal: str, controls: Controls, options: ControlOptions | None = None
) -> AsyncIterator[ControlServer | None]:
    """Serve the control socket of a run while the context is entered. The caller holds the journal's lock.

    Where the socket cannot be made, there is a warning and None.
    """
    try:
        bound = await anyio.to_thread.run_sync(BoundSocket, journal)
    except OSError as error:
        _log.warning(LogEvent.CONTROL_UNAVAILABLE, reason=error.strerror or str(error))
        yield None
        return
    try:
        server = ControlServer(bound.listener, controls, options or ControlOptions())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.work)
            yield server
            tasks.cancel_scope.cancel()
    finally:
        bound.close()
