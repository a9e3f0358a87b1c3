"""What an upload needs of this machine: versions, descriptors, a clock, disk space, and a journal in order."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import ssl
import time
from collections.abc import Iterator

from bulkup._version import __version__
from bulkup.api.doctor.finding import Finding, error, ok, warning
from bulkup.errors import JournalError, JournalLockedError
from bulkup.journal.health import SQLITE_VERSION, check_health
from bulkup.reports.formatting import size_text

_DESCRIPTORS = 1024  # an upload with the most workers, its processes and its journal
_LITTLE_SPACE, _NO_SPACE = 1024**3, 100 * 1024**2  # bytes; the journal of a million files takes about 300 MiB
_LEAST_TIME = 1_750_000_000  # Unix seconds, before this version was written
_PACKAGES = ("aiohttp", "anyio", "orjson", "pydantic-core")
_EXTRAS = {"uvloop": "speed", "botocore": "s3", "graphql-core": "server"}


def examine_machine() -> Iterator[Finding]:
    """Yield the findings that depend on no profile."""
    yield ok("bulkup", f"{__version__}, Python {platform.python_version()} on {platform.system()} {platform.release()}")
    libraries = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    yield ok("libraries", ", ".join([*libraries, f"SQLite {SQLITE_VERSION}", ssl.OPENSSL_VERSION]))
    yield ok("extras", ", ".join(_extras()) or "none is installed")
    yield _descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    yield clock_finding(time.time())


def examine_journal(path: str) -> Iterator[Finding]:
    """Yield the findings about a journal and the disk that it is on. It is read as a whole."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)  # a run creates the others
    if not os.access(folder, os.W_OK | os.X_OK):
        yield error("journal", f"this user may not write into {folder}", "name another file with --journal")
    yield disk_finding(folder, shutil.disk_usage(folder).free)
    if not os.path.exists(path):
        yield ok("journal", f"{path} does not exist yet: the first run creates it")
        return
    try:
        rows = check_health(path)
    except JournalLockedError as found:
        yield warning("journal", found.message, "repeat the command when the run has ended")
    except JournalError as found:
        yield error("journal", found.message, found.hint or "see docs/reliability.md")
    else:
        yield ok("journal", f"{path} is in order, with {rows:,} files")


def disk_finding(folder: str, free: int) -> Finding:
    """Return the finding about the space left for a journal, in bytes."""
    text = f"{size_text(free)} are free in {folder}"
    if free < _NO_SPACE:
        return error("disk", text, "free some space: a run ends with exit code 7 once the journal cannot grow")
    if free < _LITTLE_SPACE:
        return warning("disk", text, "the journal of a million files takes about 300 MiB")
    return ok("disk", text)


def clock_finding(now: float) -> Finding:
    """Return the finding about this machine's clock; `config check --online` compares it with a service's."""
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < _LEAST_TIME:
        return error("clock", f"{text} is in the past", "set the clock: certificates and signatures depend on it")
    return ok("clock", text)


def _extras() -> Iterator[str]:
    for package, extra in _EXTRAS.items():
        try:
            yield f"{package} {importlib.metadata.version(package)} [{extra}]"
        except importlib.metadata.PackageNotFoundError:
            continue


def _descriptors(most: int) -> Finding:
    if most == resource.RLIM_INFINITY:
        return ok("descriptors", "unlimited")
    if most < _DESCRIPTORS:
        return warning(
            "descriptors", f"at most {most:,} files may be open", "raise `ulimit -n`, or lower --concurrency"
        )
    return ok("descriptors", f"{most:,}")
