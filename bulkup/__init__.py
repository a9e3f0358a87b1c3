"""bulkup: moves large directories to services that hand out presigned upload URLs.

    from bulkup import Settings, Uploader, upload

    summary = await upload("media", provider="local")

The library has the power of the command: `Settings` are the settings of docs/settings.md, `Uploader` is a run with an
async iterator of results, `upload` is both in one call, and `upload_sync` is for code that is not async.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup._version import __version__
from bulkup.helpers.lazy_import import lazy_attributes

if TYPE_CHECKING:
    from bulkup.api import Preview, Summary, Uploader, preview, upload, upload_sync
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
    from bulkup.model.items import Result
    from bulkup.model.progress import Progress, SendingFile
    from bulkup.model.states import FileState

__all__ = [
    "BulkupError",
    "ExitCode",
    "FileState",
    "JournalError",
    "JournalLockedError",
    "MachineError",
    "Preview",
    "Progress",
    "Result",
    "SendingFile",
    "ServiceError",
    "Settings",
    "Summary",
    "TooManyFailuresError",
    "Uploader",
    "UsageError",
    "__version__",
    "preview",
    "upload",
    "upload_sync",
]

_HOMES = {
    "bulkup.api": ("Preview", "Summary", "Uploader", "preview", "upload", "upload_sync"),
    "bulkup.config": ("Settings",),
    "bulkup.errors": (
        "BulkupError",
        "ExitCode",
        "JournalError",
        "JournalLockedError",
        "MachineError",
        "ServiceError",
        "TooManyFailuresError",
        "UsageError",
    ),
    "bulkup.model.items": ("Result",),
    "bulkup.model.progress": ("Progress", "SendingFile"),
    "bulkup.model.states": ("FileState",),
}

# The command is a user of this package too, and has to start fast.
__getattr__ = lazy_attributes(__name__, _HOMES)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return __all__
