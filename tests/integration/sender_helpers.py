"""Helpers for the tests of both senders: bodies that count their use, and a transport that is checked for leaks."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import pytest
from scripted_server import Server, settled
from test_transport import everything_about

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemError
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport, TransportOptions

SENDERS = ("aiohttp", "lean")
BOTH = pytest.mark.parametrize("sender", SENDERS)
LEAN = pytest.mark.parametrize("sender", SENDERS[1:])  # not supported by aiohttp's client
HANG_TIMEOUT = 10.0  # seconds; a longer wait counts as a hang
BLOCK = bytes(range(256)) * 256  # 64 KiB
LARGE = 64  # blocks: more than fits into the buffers of a connection that is not read


class FileBody:
    """A body of `piece`, repeated `times` times.

    It counts starts, ends and bytes taken. `before` is awaited before each piece but the first, and may raise.
    """

    data: bytes | None = None  # it has to be asked for its pieces

    def __init__(
        self, piece: bytes = b"hello", times: int = 1, before: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        self.size = len(piece) * times
        self.failure: Exception | None = None
        self.starts = self.ends = self.taken = 0
        self._piece, self._times, self._before = piece, times, before

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        self.starts += 1
        try:
            for number in range(self._times if self._piece else 0):
                if number and self._before is not None:
                    await self._before()
                self.taken += len(self._piece)
                yield memoryview(self._piece)
        except Exception as error:
            self.failure = error
            raise
        finally:
            self.ends += 1


class InMemory(FileBody):
    """A small body in memory."""

    def __init__(self, data: bytes = b"hello") -> None:
        super().__init__(data)
        self.data = data


@contextlib.asynccontextmanager
async def using(sender: str, **changes: Any) -> AsyncIterator[Transport]:
    """Yield a transport with one of the senders. Assert that it leaves no task, loop error or log message behind."""
    given = {"connections": 4, "connect_timeout": 5.0, "idle_timeout": 5.0, "sender": sender, **changes}
    loop, told, before = asyncio.get_running_loop(), list[Any](), asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: told.append(context) if not _is_known(context) else None)
    handler, environ = _Lines(told), pytest.MonkeyPatch()
    environ.setenv("SSL_CERT_FILE", os.devnull)  # reading the system's authorities takes longer than most tests
    logging.getLogger().addHandler(handler)
    try:
        async with Transport(TransportOptions(**given), SystemClock()) as transport:
            yield transport
        await settled()
        new = asyncio.all_tasks() - before - {asyncio.current_task()}
        left = [task for task in new if task.get_name() != "script"]
        assert not left, left
        assert not told, told
    finally:
        environ.undo()
        logging.getLogger().removeHandler(handler)
        loop.set_exception_handler(None)


def _is_known(context: Mapping[str, Any]) -> bool:
    """Return whether it is an error that aiohttp leaves in a body's task when it repeats a request."""
    return isinstance(context.get("exception"), aiohttp.ClientConnectionResetError)


class _Lines(logging.Handler):
    def __init__(self, told: list[Any]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


async def outcome(
    transport: Transport,
    url: str,
    body: FileBody | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    method: str = "PUT",
) -> StorageAnswer | Problem:
    """Send with a random signature, and return the answer or problem.

    Assert that the problem does not contain the signature.
    """
    signature, body = secrets.token_hex(16), body or InMemory()
    ticket = Ticket(SecretUrl(f"{url}?X-Amz-Signature={signature}"), "id", method=method, headers=headers or {})
    try:
        async with asyncio.timeout(HANG_TIMEOUT):
            return await transport.send(ticket, body, {}, lambda _: None)
    except ProblemError as error:
        raised = error
    finally:
        if body.starts != body.ends:
            await settled()  # aiohttp's client has a task of its own for the body
        assert body.starts == body.ends
    assert signature not in everything_about(raised)
    return raised.problem


async def answered(transport: Transport, url: str, body: FileBody | None = None, **more: Any) -> StorageAnswer:
    """Send, and return the answer. Fail if there is none."""
    result = await outcome(transport, url, body, **more)
    assert isinstance(result, StorageAnswer), result
    return result


async def next_works(transport: Transport, server: Server) -> None:
    """Assert that the next request gets its own answer."""
    target = f"/next-{secrets.token_hex(4)}"
    answer = await answered(transport, server.url.replace("/k", target), InMemory(b"next"))
    assert (answer.status, answer.headers.get("x-target")) == (200, target)
    assert answer.headers["etag"] == f'"{hashlib.md5(b"next").hexdigest()}"'
