"""The terminal on standard output, for tables."""

from __future__ import annotations

from rich.console import Console

_WIDE = 1000


class _OutputConsole(Console):
    """Rich's console on standard output; what becomes of a reader that went away is not for it to say."""

    def on_broken_pipe(self) -> None:
        """Let the error go on. Called where it was caught."""
        raise  # noqa: PLE0704  # of the error that is being handled there


def output_console() -> Console:
    """Return a console on standard output as it is now."""
    console = _OutputConsole(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDE  # what is read by a program or a pager must not be cut to a guess of 80
    return console
