"""Sends requests to a run, over the control socket beside its journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

import anyio
import orjson

from bulkup.api.control.control_messages import Action, request_line
from bulkup.api.control.control_socket import connect
from bulkup.errors import UsageError

_TIMEOUT = 10.0
_LONGEST_LINE = 1024 * 1024  # of an answer


class ControlClient:
    """A connection to the run that holds a journal, to be used as an async context manager.

        async with ControlClient("/var/lib/bulkup/nightly.sqlite3") as run:
            print((await run.ask("pause"))["progress"]["state"])

    Entering raises `UsageError` where no run is under way on the journal, or it belongs to another user.
    """

    def __init__(self, journal: str, timeout: float = _TIMEOUT) -> None:
        self._journal = journal
        self._timeout = timeout
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        connection = await anyio.to_thread.run_sync(connect, self._journal, self._timeout)
        connection.setblocking(False)
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(sock=connection, limit=_LONGEST_LINE)
        except BaseException:
            connection.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, do: Action, **fields: Any) -> dict[str, Any]:
        """Return the answer to a request. Raises `UsageError` where the run refuses it, has ended or is silent."""
        await self._send(do, fields)
        return await self._answer(self._timeout)

    async def watch(self, every: float = 1.0) -> AsyncGenerator[dict[str, Any], None]:
        """Yield answers with the progress, `every` so many seconds, until the run ends. The last one has `ended`.

        Raises `UsageError` where the run ended without a word, as after a kill.
        """
        await self._send("watch", {"every": every})
        while True:
            answer = await self._answer(every + self._timeout)
            yield answer
            if answer.get("ended"):
                return

    async def _send(self, do: Action, fields: dict[str, Any]) -> None:
        try:
            self._writer.write(request_line(do, fields))
            await self._writer.drain()
        except OSError as error:
            raise _ended() from error

    async def _answer(self, timeout: float) -> dict[str, Any]:
        try:
            with anyio.fail_after(timeout):
                answer = orjson.loads(await self._reader.readuntil(b"\n"))
        except TimeoutError as error:
            hint = "it may be stopped (Ctrl-Z), or blocked by a disk"
            raise UsageError("the run does not answer", hint=hint) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise _ended() from error
        except (orjson.JSONDecodeError, asyncio.LimitOverrunError) as error:
            raise UsageError("the run's answer cannot be read: it may be another version") from error
        if not isinstance(answer, dict):
            raise UsageError("the run's answer cannot be read: it may be another version")
        if not answer.get("ok"):
            raise UsageError(str(answer.get("error", "the run refused")), hint=str(answer.get("hint", "")))
        return answer


def _ended() -> UsageError:
    return UsageError("the run has ended, or has too many clients", hint="`bulkup runs` shows how it ended")
