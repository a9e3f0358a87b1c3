"""What signals do to a run: the first one ends it in order, a second one at once.

SIGHUP says that the terminal was closed. It ends a run as SIGTERM does, but is never the second one: a shell that loses
its terminal sends its own after the system's, and nobody is impatient then. Under `nohup`, which ignores it, it stays
ignored. SIGPIPE is ignored by Python itself: a reader that goes away is met as a failed write.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import anyio
import structlog
from rich.console import Console

from bulkup.errors import BulkupError, ExitCode

_log = structlog.get_logger("bulkup")
_CODES = {signal.SIGHUP: ExitCode.SIGHUP, signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}
# Seconds beyond the grace that the last rows, lines and the embedded server may take; with the default grace that is
# well within the 90 that systemd waits before it kills.
_LAST_ACTS = 30.0


class InterruptedRunError(BulkupError):
    """A signal came before the run had begun."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("interrupted before the run began; nothing was sent")
        self.exit_code = code


class Signals:
    """Obeys signals. `first` is what the first one is handed to, as the exit status that stands for it.

    `grace` are the seconds that files in flight have after it. A run that has not ended long after them hangs on
    something that cannot be cancelled, such as a disk that does not answer: then it is ended as by a second signal.
    """

    def __init__(self, console: Console, grace: float) -> None:
        self._console = console
        self._patience = grace + _LAST_ACTS
        self._code = ExitCode.SIGINT
        self.first: Callable[[ExitCode], None] = self.at_once

    async def obey(self, received: AsyncIterator[signal.Signals]) -> None:
        """Wait for signals until cancelled."""
        self._code = _CODES[await anext(received)]
        self.first(self._code)
        code = self._code
        with anyio.move_on_after(self._patience):
            code = await _impatient(received)
        self.at_once(code)

    def interruption(self) -> InterruptedRunError:
        """Return the error for a signal that came before the run had begun."""
        return InterruptedRunError(self._code)

    def at_once(self, code: ExitCode) -> None:
        """End the process as it stands: the journal is whole at every instant, so nothing but work is lost."""
        with contextlib.suppress(OSError):  # of a terminal that was closed
            self._console.show_cursor(True)  # the live view hides it
        os._exit(int(code))


def signals_received() -> AbstractContextManager[AsyncIterator[signal.Signals]]:
    """Return a context in which the signals that end a run are received instead of ending the process."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return anyio.open_signal_receiver(*(number for number in _CODES if not (ignored and number is signal.SIGHUP)))


async def _impatient(received: AsyncIterator[signal.Signals]) -> ExitCode:
    """Return the exit status for the next signal that a person or a supervisor sent."""
    number = await anext(received)
    while number is signal.SIGHUP:
        number = await anext(received)
    return _CODES[number]
