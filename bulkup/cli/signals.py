"""What SIGINT and SIGTERM do to a run: the first one ends it in order, the second one at once."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import anyio
import structlog
from rich.console import Console

from bulkup.errors import BulkupError, ExitCode

_log = structlog.get_logger("bulkup")
_CODES = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


class InterruptedRunError(BulkupError):
    """A signal came before the run had begun."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("interrupted before the run began; nothing was sent")
        self.exit_code = code


class Signals:
    """Obeys signals. `first` is what the first one is handed to, as the exit status that stands for it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._code = ExitCode.SIGINT
        self.first: Callable[[ExitCode], None] = self._at_once

    async def obey(self, received: AsyncIterator[signal.Signals]) -> None:
        """Wait for signals until cancelled."""
        self._code = _CODES[await anext(received)]
        _log.warning("stopping: files in flight are finished; a second signal stops at once")
        self.first(self._code)
        self._at_once(_CODES[await anext(received)])

    def interruption(self) -> InterruptedRunError:
        """Return the error for a signal that came before the run had begun."""
        return InterruptedRunError(self._code)

    def _at_once(self, code: ExitCode) -> None:
        """End the process as it stands: the journal is whole at every instant, so nothing but work is lost."""
        self._console.show_cursor(True)  # the live view hides it
        os._exit(int(code))


def signals_received() -> AbstractContextManager[AsyncIterator[signal.Signals]]:
    """Return a context in which the signals that end a run are received instead of ending the process."""
    return anyio.open_signal_receiver(*_CODES)
