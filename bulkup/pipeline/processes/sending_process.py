"""One sending process, as seen from the process that started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import anyio
from anyio.abc import Process as SystemProcess

from bulkup.errors import MachineError
from bulkup.model.items import Item
from bulkup.model.problems import Problem
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import Plain, Setup, job_of, setup_to_plain
from bulkup.pipeline.send.attempt import Count

_START_PATIENCE = 60.0  # seconds until it must be ready
_STOP_PATIENCE = 3.0  # seconds from the end of its socket to SIGKILL
# All that is handed down of the environment. A process that holds no credentials is not to be given them by it either.
_HANDED_DOWN = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_PREFIXES = ("PYTHON", "LC_")
_PROXIES = "_proxy"


@dataclass(slots=True, eq=False)
class Attempt:
    """An attempt that another process makes; `done` is set to None once its item has a receipt."""

    number: int
    item: Item
    count: Count
    done: asyncio.Future[Problem | None]
    process: SendingProcess | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Calls:
    """Whom a process tells: that it takes jobs, what came of them (its reports), and that it has ended."""

    ready: Callable[[SendingProcess], None]
    reports: Callable[[SendingProcess, Sequence[Plain]], None]
    ended: Callable[[SendingProcess], None]


class SendingProcess(asyncio.Protocol):
    """A process that makes attempts, from `start` to `close`.

    Its standard input is a socket; it ends when that does, so it dies with us whatever we die of. It is in a session of
    its own: a Ctrl-C at the terminal is for the process that was started there.
    """

    def __init__(self, calls: Calls) -> None:
        self.attempts: dict[int, Attempt] = {}  # those it has in hand
        self._calls = calls
        self._frames = Frames()
        self._cancelled: list[int] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._ready = self._closing = False
        self._patience: asyncio.TimerHandle | None = None
        self._process: SystemProcess
        self._transport: asyncio.WriteTransport

    async def start(self, setup: Setup) -> None:
        """Start it; it tells when it is ready. Raises `MachineError`."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with anyio.CancelScope(shield=True), theirs:  # so that nothing is left half started
            try:
                self._process = await _spawn(theirs)
            except OSError as error:
                ours.close()
                raise MachineError(f"a sending process cannot be started: {error.strerror or error}") from error
            await loop.create_unix_connection(lambda: self, sock=ours)
        self._transport.write(frame(setup_to_plain(setup)))
        self._patience = loop.call_later(_START_PATIENCE, self._transport.abort)

    def give(self, attempts: Sequence[Attempt]) -> None:
        """Hand it attempts to make."""
        self._idle.clear()
        for attempt in attempts:
            attempt.process = self
            self.attempts[attempt.number] = attempt
        self._transport.write(frame(([job_of(attempt.number, attempt.item) for attempt in attempts], ())))

    def drop(self, number: int) -> Attempt | None:
        """Take an attempt off what it has in hand, and return it."""
        attempt = self.attempts.pop(number, None)
        if not self.attempts:
            self._idle.set()
        return attempt

    async def idle(self) -> None:
        """Return once it has nothing in hand."""
        await self._idle.wait()

    def cancel(self, attempt: Attempt) -> None:
        """Have an attempt given up; those of one turn of the loop go together."""
        if not self._cancelled:
            asyncio.get_running_loop().call_soon(self._tell_cancelled)
        self._cancelled.append(attempt.number)

    async def close(self) -> int:
        """End it, and return its exit status: negative, the number of the signal that ended it."""
        self._closing = True
        self._be_patient()
        with anyio.CancelScope(shield=True):
            self._transport.abort()
            if not self._ready:  # it would see the end of its socket only once it has started
                self._kill()
            with anyio.move_on_after(_STOP_PATIENCE):
                await self._process.wait()
            self._kill()
            await self._process.aclose()
        assert self._process.returncode is not None
        return self._process.returncode

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Take reports; the first message only says that it is ready."""
        for message in self._frames.feed(data):
            if self._ready:
                self._calls.reports(self, message)
            else:
                self._ready = True
                self._be_patient()
                self._calls.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why it ended is its exit status
        """Tell that it has ended, where that was not asked for."""
        if not self._closing:
            self._calls.ended(self)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _tell_cancelled(self) -> None:
        numbers, self._cancelled = self._cancelled, []
        self._transport.write(frame(((), numbers)))


async def _spawn(theirs: socket.socket) -> SystemProcess:
    return await anyio.open_process(
        # -P: where a run is started may hold a file that is called like a module of ours.
        [sys.executable, "-P", "-m", "bulkup.pipeline.processes"],
        stdin=theirs,  # type: ignore[arg-type]  # whatever has a descriptor
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(os.environ),
        start_new_session=True,
    )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is handed down: how Python, TLS and the network are set up, and proxies."""
    return {
        name: value
        for name, value in environ.items()
        if name in _HANDED_DOWN or name.startswith(_PREFIXES) or name.lower().endswith(_PROXIES)
    }
