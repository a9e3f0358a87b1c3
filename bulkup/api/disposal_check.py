"""The checks of `delete_after_upload` and `move_to` before a run starts."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence

from bulkup.config import Settings
from bulkup.errors import UsageError
from bulkup.model.files import Source
from bulkup.pipeline.options import DisposalOptions


def disposal_options(settings: Settings, sources: Sequence[Source]) -> DisposalOptions | None:
    """Return how uploaded files are removed, None if they stay. It blocks.

    Raises `UsageError` for a source that cannot be written to, and for an unusable directory of `move_to`.
    """
    if not settings.delete_after_upload and settings.move_to is None:
        return None
    name = "delete_after_upload" if settings.move_to is None else "move_to"
    for source in sources:
        _require_writable(source.root, name, f"files cannot be removed from the source {source.shown}")
    if settings.move_to is None:
        return DisposalOptions()
    target = os.path.realpath(os.fsencode(settings.move_to))
    if not os.path.isdir(target):
        raise UsageError(f"move_to: {settings.move_to} is no directory", hint="create it, or name another one")
    _require_writable(target, name, f"files cannot be moved to {settings.move_to}")
    for source in sources:
        _require_apart(source, target, settings.move_to)
    return DisposalOptions(target)


def _require_writable(folder: bytes, name: str, problem: str) -> None:
    try:
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError as error:
        raise UsageError(f"{name}: {problem}: {error.strerror}") from error
    if read_only or not os.access(folder, os.W_OK | os.X_OK):
        reason = os.strerror(errno.EROFS if read_only else errno.EACCES)
        hint = "allow the user of the run to write there, or leave the setting out"
        raise UsageError(f"{name}: {problem}: {reason}", hint=hint)


def _require_apart(source: Source, target: bytes, given: str) -> None:
    """Raise `UsageError` if files would be moved into a source, or to another file system."""
    inside = target == source.root or (source.only is None and _is_below(target, source.root))
    if inside or _is_below(source.root, target):
        hint = "the next run would upload the files again: name a directory beside the source"
        raise UsageError(f"move_to: {given} is inside the source {source.shown}, or contains it", hint=hint)
    if os.stat(target).st_dev != os.stat(source.root).st_dev or _mount_of(target) != _mount_of(source.root):
        hint = "name a directory on the source's file system, below the same mount"
        raise UsageError(f"move_to: {given} is on another file system than the source {source.shown}", hint=hint)


def _mount_of(folder: bytes) -> bytes | None:
    """Return the number of a folder's mount, None if the system does not say it (Linux does).

    A service of systemd may see two folders of one file system as mounts of their own. Then no file can be renamed from
    one to the other.
    """
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
                return next((line.split()[1] for line in lines if line.startswith(b"mnt_id:")), None)
        finally:
            os.close(fd)
    return None


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(os.path.join(folder, b""))
