"""Signals during a run: the first one ends the run in order, a second one ends the process immediately.

SIGHUP has two meanings. In a process with a terminal it says that the terminal was closed. It ends the run like
SIGTERM, but never counts as a second signal: a shell that loses its terminal sends another SIGHUP after the system's.
To a process without a terminal, as under a timer, a person or a program sends it. If such a process runs a profile, it
reads the profile again, as most services do. If SIGHUP is ignored, as under `nohup`, it stays ignored. Python itself
ignores SIGPIPE, so a closed output causes a failed write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bulkup.errors import BulkupError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

_CODES = {signal.SIGHUP: ExitCode.SIGHUP, signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}
# Seconds after the grace for the last rows, the last lines and the end of the embedded server. With the default grace,
# the total is less than the 90 seconds after which systemd kills a service.
_CLEAN_UP_TIME = 30.0
_CURSOR_TIMEOUT = 1.0


class InterruptedRunError(BulkupError):
    """A signal arrived before the run had begun."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("interrupted before the run began; nothing was sent")
        self.exit_code = code


class Signals:
    """Handles the signals that end a run, while its context is entered. Enter it in the main thread's event loop.

    At the first signal, `on_first` is called in the loop with the exit code of the signal. Files in flight then have
    `grace` seconds, and the rest of the run `clean_up_time`. A run that takes longer is blocked by something that
    cannot be cancelled, such as a disk that does not answer. Then the process is ended as by a second signal.

    With `reloads`, SIGHUP ends nothing: it calls `on_reload` in the loop, or sets `reload_wanted` while there is none.

    A separate thread receives the signals, because a full pipe on standard error can block the main thread. With
    `kill_if_deaf`, a signal that arrives again before that thread could run has the system's default action.
    """

    def __init__(
        self,
        console: Console | None,
        grace: float,
        *,
        reloads: bool = False,
        clean_up_time: float = _CLEAN_UP_TIME,
        kill_if_deaf: bool = True,
    ) -> None:
        self._console = console
        self._reloads = reloads
        self._kill_if_deaf = kill_if_deaf
        self._heard: dict[int, Callable[[], object]] = {}
        self._timeout = grace + clean_up_time
        self._code: ExitCode | None = None
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}
        self._loop: asyncio.AbstractEventLoop
        self.on_first: Callable[[ExitCode], None] = self.exit_now
        self.on_reload: Callable[[], None] | None = None
        self.reload_wanted = False

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _CODES:
            handler = signal.getsignal(number)
            if number is not signal.SIGHUP or handler is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _ignore)
        if self._kill_if_deaf:
            self._reset_on_delivery()
        self._thread = threading.Thread(target=self._watch, name="bulkup-signals", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system allows no further thread
            self._restore()
            self._reader.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        self._thread.join()
        self._reader.close()

    def _restore(self) -> None:
        """Handle signals as before, and close the end that they are written to."""
        self._heard.clear()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()

    @property
    def code(self) -> ExitCode | None:
        """The exit code of the first signal, None before it."""
        return self._code

    def interruption(self) -> InterruptedRunError:
        """Return the error for a signal that arrived before the run had begun."""
        return InterruptedRunError(self._code or ExitCode.SIGINT)

    def interrupt(self, at_once: bool) -> None:
        """Do what a first SIGINT does, or with `at_once` a second one. Several first ones are the same as one."""
        if at_once:
            self.exit_now(ExitCode.SIGINT)
        elif self._code is None and not self._interrupted:
            self._interrupted = True
            os.kill(os.getpid(), signal.SIGINT)  # the thread that handles signals has the timeouts of a stop

    def exit_now(self, code: ExitCode) -> None:
        """End the process immediately. The journal is consistent at any time, so only unfinished work is lost."""
        # A terminal that is stopped (Ctrl-S) or hangs blocks a write, which must not delay the exit.
        last = threading.Timer(_CURSOR_TIMEOUT, os._exit, (int(code),))
        last.daemon = True
        last.start()
        if self._console is not None:
            with contextlib.suppress(OSError):  # the terminal was closed
                self._console.show_cursor(True)  # the live view hides it
        os._exit(int(code))

    def _reset_on_delivery(self) -> None:
        from bulkup.helpers.signal_reset import reset_on_delivery  # noqa: PLC0415  # it imports ctypes

        for number in (signal.SIGINT, signal.SIGTERM):
            if (heard := reset_on_delivery(number)) is not None:
                self._heard[number] = heard

    def _watch(self) -> None:
        """Handle signals, one byte each, until the other end is closed. Runs in the thread."""
        with contextlib.suppress(TimeoutError):
            while taken := self._reader.recv(1):
                if taken[0] in self._heard:
                    self._heard[taken[0]]()
                self._handle(signal.Signals(taken[0]))
            return
        self.exit_now(self._code or ExitCode.SIGTERM)

    def _handle(self, number: signal.Signals) -> None:
        if number not in _CODES:
            return
        if self._reloads and number is signal.SIGHUP:
            self._loop.call_soon_threadsafe(self._reload)
        elif self._code is None:
            self._code = _CODES[number]
            self._reader.settimeout(self._timeout)
            self._loop.call_soon_threadsafe(self._stop, self._code)
        elif number is not signal.SIGHUP:
            self.exit_now(_CODES[number])

    def _stop(self, code: ExitCode) -> None:
        self.on_first(code)

    def _reload(self) -> None:
        if self.on_reload is None:
            self.reload_wanted = True
        else:
            self.on_reload()


def has_terminal() -> bool:
    """Return whether this process has a controlling terminal, wherever its input and output go."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _ignore(*_: object) -> None:
    """Do nothing. The interpreter writes the signal's number to the thread's socket."""
