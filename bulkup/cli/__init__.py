"""The command line: options to settings, the library, results to text and exit codes.

This package contains only code for a person at a terminal, or for a timer that starts commands. Everything that a user
of the library needs is in `bulkup.api`.
"""

from __future__ import annotations

from bulkup.cli.entry import main

__all__ = ["main"]
