"""The console on standard error, shared by the live view and the log."""

from __future__ import annotations

from rich.console import Console


class ErrorConsole(Console):
    """A rich console on standard error that becomes quiet when its pipe is closed.

    Rich itself would redirect standard *output* to /dev/null and exit, which would end the run and its `--json` lines.
    """

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_broken_pipe(self) -> None:
        """Write nothing from now on."""
        self.quiet = True
