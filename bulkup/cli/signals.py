"""What signals do to a run: the first one ends it in order, a second one at once.

SIGHUP says that the terminal was closed. It ends a run as SIGTERM does, but is never the second one: a shell that loses
its terminal sends its own after the system's, and nobody is impatient then. Under `nohup`, which ignores it, it stays
ignored. SIGPIPE is ignored by Python itself: a reader that goes away is met as a failed write.
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
from typing import Any, Self

from rich.console import Console

from bulkup.errors import BulkupError, ExitCode

_CODES = {signal.SIGHUP: ExitCode.SIGHUP, signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}
# Seconds beyond the grace that the last rows, lines and the embedded server may take; with the default grace that is
# well within the 90 that systemd waits before it kills.
_LAST_ACTS = 30.0
_LAST_BREATH = 1.0


class InterruptedRunError(BulkupError):
    """A signal came before the run had begun."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("interrupted before the run began; nothing was sent")
        self.exit_code = code


class Signals:
    """Obeys the signals that end a run, between entering and leaving it; to be entered in the main thread's event loop.

    `first` is what the first one is handed to, in the loop, as the exit status that stands for it. `grace` are the
    seconds that files in flight have after it. A run that has not ended long after them hangs on something that cannot
    be cancelled, such as a disk that does not answer, and is ended as by a second signal.

    A thread of its own is told of them: whoever has let standard error fill up holds up the loop and its thread.
    """

    def __init__(self, console: Console, grace: float) -> None:
        self._console = console
        self._patience = grace + _LAST_ACTS
        self._code: ExitCode | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._loop: asyncio.AbstractEventLoop
        self.first: Callable[[ExitCode], None] = self.at_once

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _CODES:
            handler = signal.getsignal(number)
            if number is not signal.SIGHUP or handler is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _told)
        self._thread = threading.Thread(target=self._watch, name="bulkup-signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def interruption(self) -> InterruptedRunError:
        """Return the error for a signal that came before the run had begun."""
        return InterruptedRunError(self._code or ExitCode.SIGINT)

    def at_once(self, code: ExitCode) -> None:
        """End the process as it stands: the journal is whole at every instant, so nothing but work is lost."""
        # A terminal that is held (Ctrl-S) or hangs takes no more text, and must not keep us.
        last = threading.Timer(_LAST_BREATH, os._exit, (int(code),))
        last.daemon = True
        last.start()
        with contextlib.suppress(OSError):  # of a terminal that was closed
            self._console.show_cursor(True)  # the live view hides it
        os._exit(int(code))

    def _watch(self) -> None:
        """Take signals, a byte each, until the other end is closed; in the thread."""
        with contextlib.suppress(TimeoutError):
            while taken := self._reader.recv(1):
                self._take(signal.Signals(taken[0]))
            return
        self.at_once(self._code or ExitCode.SIGTERM)

    def _take(self, number: signal.Signals) -> None:
        if number not in _CODES:
            return
        if self._code is None:
            self._code = _CODES[number]
            self._reader.settimeout(self._patience)
            self._loop.call_soon_threadsafe(self._stop, self._code)
        elif number is not signal.SIGHUP:
            self.at_once(_CODES[number])

    def _stop(self, code: ExitCode) -> None:
        self.first(code)


def _told(*_: object) -> None:
    """Do nothing: the thread is told by the interpreter, wherever the main thread is."""
