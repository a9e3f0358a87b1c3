"""The file `.bulkupignore` at the top of a source: patterns of files that are not uploaded."""

from __future__ import annotations

import os
import stat

from bulkup.config.pattern_list import patterns_of
from bulkup.errors import UsageError
from bulkup.model.files import Source
from bulkup.pipeline.files.file_opener import FileOpener

IGNORE_FILE = ".bulkupignore"
_ITSELF = f"/{IGNORE_FILE}"
_MOST_READ = 1024**2 + 1  # bytes; `patterns_of` refuses more
# A link is not followed: it could name a file outside of the source. A pipe must not block the walk.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def read_ignore_file(opener: FileOpener, source: Source) -> tuple[str, ...]:
    """Return the patterns of a source, empty without such a file, or if the source cannot be opened. It blocks.

    Raises `UsageError` if the file is there and cannot be used: otherwise files would be uploaded against its will.
    """
    if source.only is not None:
        return ()
    try:
        folder = opener.open_folder(source, b"")
    except OSError:
        return ()  # the walk reports it
    try:
        data = _read(folder)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(
            f"cannot read {IGNORE_FILE} in {source.shown}: {error.strerror}",
            hint="make it a readable file, or use --no-ignore-file",
        ) from error
    finally:
        os.close(folder)
    return (*patterns_of(data, f"{source.shown}/{IGNORE_FILE}"), _ITSELF)


def _read(folder: int) -> bytes:
    descriptor = os.open(IGNORE_FILE, _OPEN, dir_fd=folder)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read(_MOST_READ)
