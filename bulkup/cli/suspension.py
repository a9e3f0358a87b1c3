"""Ctrl-Z during a live view: the shell gets a terminal with a visible cursor, and the view begins anew after `fg`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

_BEFORE_STOP = b"\x1b[?25h\r\n"  # a visible cursor, and the shell's message on a line of its own


@contextlib.contextmanager
def suspension(on_stop: Callable[[], None]) -> Iterator[None]:
    """Call `on_stop` before Ctrl-Z stops the process, while the context is entered. Enter it in the main thread.

    Where SIGTSTP is ignored or handled by others, nothing changes.
    """

    def stop(*_: object) -> None:
        on_stop()
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), _BEFORE_STOP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # To this thread: then the call returns only once the process continues.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)

    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)


class Foreground:
    """Says whether a terminal belongs to this process, or to the shell and other jobs.

    A program such as `timeout` in a script puts a process in the background without a shell that wants the terminal. So
    the process counts as one in the background only if it leads a group, as jobs of a shell do, or was in the
    foreground before.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_job = os.getpgrp() == os.getpid()

    def __call__(self) -> bool:
        """Return whether the process may draw on the terminal."""
        try:
            ahead = os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # it is not the terminal of this session, so it has no jobs
            return True
        self._is_job = self._is_job or ahead
        return ahead or not self._is_job
