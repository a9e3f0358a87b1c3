"""A command at a terminal of its own, with the job control of a small shell: Ctrl-Z, `fg`, resizing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping

from e2e_world import COMMAND, TIMEOUT, environment
from screen import Screen

# The leader of the session. It starts the command as the job in the foreground, and continues it at each line of input.
_SHELL = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
as_usual = lambda: signal.signal(signal.SIGTTOU, signal.SIG_DFL)
child = subprocess.Popen(sys.argv[1:], process_group=0, preexec_fn=as_usual)
os.tcsetpgrp(0, child.pid)
while True:
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status) % 256)
    print("the shell has the terminal", flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, child.pid)
    child.send_signal(signal.SIGCONT)
"""


class AtTerminal:
    """A command that runs at a terminal. `screen` shows what a person sees."""

    def __init__(self, process: int, descriptor: int, width: int) -> None:
        self.process = process
        self.screen = Screen(width)
        self.output = ""
        self._descriptor = descriptor
        self._rest = b""

    def has_cursor(self) -> bool:
        """Return whether the cursor is visible."""
        return self.screen.cursor

    def resize(self, width: int, height: int = 30) -> None:
        """Change the size of the terminal, which sends SIGWINCH."""
        self.read_what_is_there()
        self.screen.resize(width)
        set_size(self._descriptor, width, height)

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def read_what_is_there(self, timeout: float = 0.0) -> bool:
        """Show the output so far, and return whether the terminal is still open."""
        while select.select([self._descriptor], [], [], timeout)[0]:
            try:
                block = os.read(self._descriptor, 1 << 16)
            except OSError:  # the other end is closed
                return False
            if not block:
                return False
            text = (self._rest + block).decode("utf-8", "replace")
            self.output += text
            self.screen.write(text)
            timeout = 0.0
        return True

    def wait_for(self, *texts: str) -> None:
        """Wait until a row of the screen has all of these texts."""
        deadline = time.monotonic() + TIMEOUT
        while not any(all(text in row for text in texts) for row in self.screen.text):
            assert time.monotonic() < deadline, (texts, self.screen.text)
            assert self.read_what_is_there(0.05), (texts, self.screen.text)

    def end(self) -> int:
        """Wait for the end of the command, and return its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self.read_what_is_there(0.05):
            assert time.monotonic() < deadline, self.screen.text
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


@contextlib.contextmanager
def at_terminal(
    *arguments: str, width: int = 80, height: int = 30, env: Mapping[str, str] | None = None
) -> Iterator[AtTerminal]:
    """Start a command at a new terminal, and kill the session at the end of the context."""
    given = environment({"TERM": "xterm-256color", "COLUMNS": "", "NO_COLOR": "", **(env or {})})
    process, descriptor = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-c", _SHELL, *COMMAND, *arguments], given)
    set_size(descriptor, width, height)
    try:
        yield AtTerminal(process, descriptor, width)
    finally:
        os.close(descriptor)  # the terminal is closed, so its jobs get SIGHUP
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def set_size(descriptor: int, width: int, height: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
