"""One sending process, as its parent sees it: its start, the attempts it has, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import anyio
from anyio.abc import Process as SystemProcess

from bulkup.errors import MachineError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.items import Ticketed
from bulkup.pipeline.policy.host_gate import HostGate
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import Plain, Setup, grant_to_plain, jobs_to_plain, setup_to_plain
from bulkup.pipeline.processes.silence import SilenceTimeout

# The variables of the environment that a sending process inherits. It holds no credentials, so no others.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_INHERITED_PREFIXES = ("PYTHON", "LC_")
_PROXIES = "_proxy"
Spawn = Callable[[socket.socket], Awaitable[SystemProcess]]


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """Timeouts in seconds.

    `start_timeout` ends a process that is not ready by then. A process that has attempts and reports nothing for the
    idle timeout of connections is killed, but not before `least_silence`; `silence_check` is the time between two
    checks. `cancel_timeout` is how long a cancelled attempt waits for its last report. `stop_timeout` is the time from
    the end of the socket to SIGKILL, and from there until the process is no longer waited for. After `most_losses`
    processes that ended unexpectedly, none is started any more.
    """

    start_timeout: float = 60.0
    least_silence: float = 2.0
    silence_check: float = 0.25
    cancel_timeout: float = 1.0
    stop_timeout: float = 3.0
    most_losses: int = 3


@dataclass(slots=True, eq=False)
class Attempt:
    """An attempt that another process makes, from its gate and memory to its last report.

    `begun` is in monotonic seconds. `held` are the bytes that it took from the budget of memory, `sent` those that it
    has sent.
    """

    number: int
    file: Ticketed
    gate: HostGate
    begun: float
    held: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Called by a process: `ready` once it takes jobs, `reports` with each message, `ended` at an unexpected end."""

    ready: Callable[[SendingProcess], None]
    reports: Callable[[SendingProcess, Plain], None]
    ended: Callable[[SendingProcess], None]


class SendingProcess(asyncio.Protocol):
    """A process that makes attempts, from `start` to `close`.

    Its standard input is a socket. It ends when the socket is closed, so it never outlives its parent. It has a session
    of its own, because a Ctrl-C at the terminal is meant for the parent alone. While it has attempts it reports ten
    times a second, however slow storage is. So one that is silent is stopped or hangs, and is killed.
    """

    def __init__(self, callbacks: Callbacks, options: ProcessOptions, spawn: Spawn | None = None) -> None:
        self._spawn = spawn or _spawn
        self.attempts: dict[int, Attempt] = {}  # given and not reported yet
        self._callbacks = callbacks
        self._options = options
        self._frames = Frames()
        self._idle = asyncio.Event()
        self._idle.set()
        self._ready = self._closing = self._started = False
        self._rate: float | None = None
        self._granted = 0
        self._timer: asyncio.TimerHandle | None = None  # for the start, then for silence
        self._silence: SilenceTimeout
        self._process: SystemProcess
        self._transport: asyncio.WriteTransport

    async def start(self, setup: Setup) -> None:
        """Start the process; it calls back when it is ready. Raises `MachineError`."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with anyio.CancelScope(shield=True), theirs:  # a cancellation must not leave a half-started process
            try:
                self._process = await self._spawn(theirs)
            except OSError as error:
                ours.close()
                raise MachineError(f"a sending process cannot be started: {error.strerror or error}") from error
            await loop.create_unix_connection(lambda: self, sock=ours)
        self._transport.write(frame(setup_to_plain(setup)))
        self._started = True
        if self._rate is not None:
            self.limit(self._rate)
        timeout = max(setup.transport.idle_timeout, self._options.least_silence)
        self._silence = SilenceTimeout(timeout, 2 * self._options.silence_check, loop.time())
        self._timer = loop.call_later(self._options.start_timeout, self._transport.abort)

    def give(self, attempts: Sequence[Attempt]) -> None:
        """Send it attempts to make, in one message."""
        self._idle.clear()
        for attempt in attempts:
            self.attempts[attempt.number] = attempt
        jobs = jobs_to_plain([(attempt.number, attempt.file) for attempt in attempts])
        self._transport.write(frame((jobs, False)))

    def limit(self, rate: float | None) -> None:
        """Send the limit on the bandwidth in bytes per second, None for none; before the start, keep it until then."""
        self._rate = rate
        if self._started:
            self._transport.write(frame(grant_to_plain(rate, 0)))

    def grant(self, count: int) -> None:
        """Let it send bytes. Grants of one turn of the loop share a message."""
        if not self._granted:
            asyncio.get_running_loop().call_soon(self._send_grants)
        self._granted += count

    def _send_grants(self) -> None:
        granted, self._granted = self._granted, 0
        if not self._transport.is_closing():
            self._transport.write(frame(grant_to_plain(self._rate, granted)))

    def note_reports(self) -> None:
        """Note that reports were taken, and their attempts removed from `attempts`."""
        if not self.attempts:
            self._idle.set()

    async def idle(self) -> None:
        """Return once it has no attempts."""
        await self._idle.wait()

    def cancel(self) -> None:
        """Cancel all attempts."""
        if self.attempts:
            self._transport.write(frame(((), True)))

    async def close(self) -> int:
        """End the process, and return its exit code; a negative code is the number of a signal.

        A process that even SIGKILL does not end in time is left to the system.
        """
        self._closing = True
        self._stop_timer()
        with anyio.CancelScope(shield=True):
            self._transport.abort()
            if not self._ready:  # it reads its socket only once it has started
                self._kill()
            if not await self._ends_in_time():
                self._kill()
                if not await self._ends_in_time():
                    return -signal.SIGKILL  # it waits for a disk or a server, and ends when that answers
        assert self._process.returncode is not None
        return self._process.returncode

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, for messages to the process."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        """Pass reports on; the first message only says that the process is ready."""
        self._silence.heard()
        for message in self._frames.feed(data):
            if self._ready:
                self._callbacks.reports(self, message)
            else:
                self._ready = True
                self._stop_timer()
                self._check_silence()
                self._callbacks.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the exit code has the reason
        """Report an end that was not requested."""
        self._stop_timer()
        if not self._closing:
            self._callbacks.ended(self)

    def _check_silence(self) -> None:
        loop = asyncio.get_running_loop()
        if self._silence.is_over(loop.time(), expected=bool(self.attempts)):
            self._kill()
            self._transport.abort()
        else:
            self._timer = loop.call_later(self._options.silence_check, self._check_silence)

    async def _ends_in_time(self) -> bool:
        with anyio.move_on_after(self._options.stop_timeout):
            await self._process.wait()
            return True
        return False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def _spawn(theirs: socket.socket) -> SystemProcess:
    return await anyio.open_process(
        # -P: the current directory may hold a file with the name of one of our modules.
        [sys.executable, "-X", "utf8", "-P", "-m", "bulkup.pipeline.processes"],
        stdin=theirs,  # type: ignore[arg-type]  # any object with a descriptor will do
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=inherited(os.environ),
        start_new_session=True,
    )


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a sending process inherits: the set-up of Python, TLS, network and proxies."""
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES) or name.lower().endswith(_PROXIES)
    }
