"""Whether the sources of a profile are there, hold files, and can be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from bulkup.api.doctor.finding import Finding, error, ok, warning

_SUBJECT = "source"


def examine_sources(sources: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each source. Of a directory only the first entry is read."""
    return map(_examined, sources)


def _examined(source: str) -> Finding:
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            return _of_directory(source)
    except PermissionError:
        return error(_SUBJECT, f"this user may not read {source}", "give this user the right to read it")
    except OSError as found:
        reason = found.strerror or type(found).__name__
        return error(_SUBJECT, f"{source}: {reason}", "check its spelling, and whether it is mounted")
    if not stat.S_ISREG(mode):
        return error(_SUBJECT, f"{source} is neither a directory nor a regular file", "name another one")
    if not os.access(source, os.R_OK):
        return error(_SUBJECT, f"this user may not read {source}", "give this user the right to read it")
    return ok(_SUBJECT, f"{source} can be read")


def _of_directory(source: str) -> Finding:
    """Return the finding about a directory. Raises OSError if it cannot be listed."""
    with os.scandir(source) as entries:
        empty = next(entries, None) is None
    if empty:
        advice = "check whether it is mounted: if earlier runs found files in it, a run ends with exit code 3"
        return warning(_SUBJECT, f"{source} is empty", advice)
    if not os.access(source, os.X_OK):
        return error(_SUBJECT, f"this user may not enter {source}", "give this user the right to search it")
    return ok(_SUBJECT, f"{source} can be read")
