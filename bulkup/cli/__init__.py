"""The command line: options to settings, the library, results to text and exit codes.

Here belongs what only a person at a terminal or a timer needs. Not here: anything a user of the library would miss.
"""

from __future__ import annotations

from bulkup.cli.app import main

__all__ = ["main"]
