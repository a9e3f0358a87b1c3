"""Files that bulkup writes for a service manager: written at once, and never over a file of somebody else."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator

from bulkup.cli.schedule.scheduled_job import Mark, ScheduledJob, read_mark
from bulkup.errors import BulkupError, MachineError, UsageError
from bulkup.reports.safe_text import printable

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1024**2  # bytes; more is not a file of bulkup


def read_marked(path: str) -> tuple[bytes, Mark] | None:
    """Return the content and the mark of a file of bulkup, None if there is no file or link of that name.

    Raises UsageError for anything that bulkup did not write.
    """
    try:
        found = os.lstat(path)
        content = _content(path) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(f"cannot read {printable(path)}: {error.strerror}") from error
    mark = read_mark(content)
    if mark is None:
        raise UsageError(
            f"{printable(path)} exists, and bulkup did not write it",
            hint="move it away, or give the schedule another name with --name",
        )
    return content, mark


def marked_names(folder: str, begin: str, end: str) -> list[str]:
    """Return the middle parts of the names of files of bulkup in a folder, without `begin` and `end`."""
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return []
    found = [one for one in entries if one.startswith(begin) and one.endswith(end) and _is_marked(folder, one)]
    return [one.removeprefix(begin).removesuffix(end) for one in found]


def require_same_job(path: str, mark: Mark, job: ScheduledJob) -> None:
    """Raise UsageError if a file is about another profile, or about one in another configuration file.

    A configuration file that does not exist any more was moved or removed. A watch does not take the place of a
    schedule with times, whose timer would go on.
    """
    same_file = os.path.realpath(mark.config) == os.path.realpath(job.config) or not os.path.exists(mark.config)
    if mark.profile != job.profile or not same_file:
        raise UsageError(
            f"{printable(path)} is the schedule of profile {printable(mark.profile)} in {printable(mark.config)}",
            hint="give this schedule another name with --name",
        )
    if mark.is_watch != (job.times is None):
        raise UsageError(
            f"{printable(path)} is the {'watch' if mark.is_watch else 'schedule with times'} of this profile",
            hint="a profile needs only one of the two; remove it first with `bulkup schedule remove`",
        )


@contextlib.contextmanager
def replaced_files(texts: dict[str, bytes], job: ScheduledJob) -> Iterator[None]:
    """Write files by path, all or none: if the context fails, they have their content of before.

    Raises UsageError if one of them is not a file of this schedule, and MachineError.
    """
    before: dict[str, bytes | None] = {}
    for path in texts:
        found = read_marked(path)
        if found is not None:
            require_same_job(path, found[1], job)
        before[path] = None if found is None else found[0]
    written: list[str] = []
    try:
        for path, content in texts.items():
            _write(path, content, is_new=before[path] is None)
            written.append(path)
        yield
    except BaseException:
        for path in written:
            _restore(path, before[path])
        raise


def remove_marked(path: str) -> bool:
    """Remove a file of bulkup, and return whether there was one. Raises UsageError for a file of somebody else."""
    if read_marked(path) is None:
        return False
    try:
        os.unlink(path)
    except OSError as error:
        raise MachineError(f"cannot remove {printable(path)}: {error.strerror}") from error
    return True


def _is_marked(folder: str, name: str) -> bool:
    try:
        return read_marked(os.path.join(folder, name)) is not None
    except BulkupError:
        return False


def _content(path: str) -> bytes:
    with open(os.open(path, _READ), "rb") as file:
        return file.read(_LARGEST)


def _write(path: str, content: bytes, *, is_new: bool) -> None:
    folder = os.path.dirname(path)
    unfinished = os.path.join(folder, f".bulkup-{secrets.token_hex(8)}.unfinished")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(os.open(unfinished, _NEW, 0o644), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            if is_new:
                os.link(unfinished, path)  # fails if a file has come meanwhile, which a rename would replace
            else:
                os.rename(unfinished, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
    except FileExistsError as error:
        raise UsageError(f"{printable(path)} exists, and bulkup did not write it") from error
    except OSError as error:
        hint = "use --user, or run the command as root" if isinstance(error, PermissionError) else ""
        raise MachineError(f"cannot write {printable(path)}: {error.strerror}", hint=hint) from error


def _restore(path: str, content: bytes | None) -> None:
    if content is None:
        with contextlib.suppress(OSError):
            os.unlink(path)
    else:
        with contextlib.suppress(MachineError):
            _write(path, content, is_new=False)
