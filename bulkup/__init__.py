"""bulkup: moves large directories to services that hand out presigned upload URLs.

    from bulkup import Settings, Uploader, upload

    summary = await upload("media", provider="local")

The library has the power of the command: `Settings` are the settings of docs/settings.md, `Uploader` is a run with an
async iterator of results, `upload` is both in one call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bulkup._version import __version__

if TYPE_CHECKING:
    from bulkup.api import Preview, Summary, Uploader, preview, upload
    from bulkup.config import Settings
    from bulkup.errors import (
        BulkupError,
        ExitCode,
        JournalError,
        JournalLockedError,
        MachineError,
        ServiceError,
        TooManyFailuresError,
        UsageError,
    )
    from bulkup.messages import FileState, Result

__all__ = [
    "BulkupError",
    "ExitCode",
    "FileState",
    "JournalError",
    "JournalLockedError",
    "MachineError",
    "Preview",
    "Result",
    "ServiceError",
    "Settings",
    "Summary",
    "TooManyFailuresError",
    "Uploader",
    "UsageError",
    "__version__",
    "preview",
    "upload",
]

_HOMES = {
    "bulkup.api": ("Preview", "Summary", "Uploader", "preview", "upload"),
    "bulkup.config": ("Settings",),
    "bulkup.messages": ("FileState", "Result"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the command is a user of this package too, and has to start fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "bulkup.errors")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return __all__
