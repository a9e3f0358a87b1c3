"""The terminal on standard error, shared by the progress bar and the log."""

from __future__ import annotations

from rich.console import Console


class ErrorConsole(Console):
    """A rich console on standard error that falls silent when its reader goes away.

    Rich's own answer to a closed pipe is to point standard *output* at /dev/null and to exit, which would
    cost the run and its `--json` lines.
    """

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Write nothing from now on."""
        self.quiet = True
