"""The terminal on standard output, for tables."""

from __future__ import annotations

from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 1000


class _OutputConsole(Console):
    """Rich's console on standard output, which leaves a closed output to the command."""

    def on_broken_pipe(self) -> None:
        """Raise the error again; rich calls this in its handler."""
        raise  # noqa: PLE0704  # rich is handling the error


def output_console() -> Console:
    """Return a console on the current standard output."""
    console = _OutputConsole(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL  # a program or a pager reads it, so nothing is cut
    return console
