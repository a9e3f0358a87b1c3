"""The manifest of a bench: every remote id that it created at the service, also after errors."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator

from bulkup.errors import JournalError, MachineError, UsageError
from bulkup.journal import Reader
from bulkup.reports.bench_report import CreatedIds, created_objects
from bulkup.reports.json_text import dumps
from bulkup.reports.tables import orphan_json


@contextlib.contextmanager
def bench_folder() -> Iterator[str]:
    """Yield a temporary folder for a bench. It is kept only if its journal is the sole record of created ids."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="bulkup-bench-"))
    try:
        yield folder
    except IdsNotWrittenError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


class IdsNotWrittenError(MachineError):
    """The ids could not be written to the manifest."""


@contextlib.contextmanager
def reserved_file(path: str | None) -> Iterator[None]:
    """Create the file beforehand, to be sure that it can be written. An empty file is removed afterwards."""
    if path is None:
        yield
        return
    try:
        with open(path, "xb"):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}", hint="give --manifest FILE") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not os.path.getsize(path):
                os.unlink(path)


def write_created(journal: str, path: str | None) -> CreatedIds:
    """Write all created ids to the manifest, and return their numbers."""
    if path is None or not os.path.exists(journal):
        return CreatedIds()
    try:
        with Reader(journal) as reader, open(path, "wb") as stream:
            files = list(created_objects(reader.manifest()))
            orphans = list(map(orphan_json, itertools.chain(reader.orphans(), reader.interrupted())))
            stream.writelines(dumps(line) + b"\n" for line in (*files, *orphans))
    except (OSError, JournalError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = f"the ids are in the journal: bulkup manifest --journal {journal}"
        raise IdsNotWrittenError(f"cannot write {path}: {reason}", hint=hint) from error
    unused = sum(orphan["remote_id"] is not None for orphan in orphans)
    unknown = sum(orphan["count"] for orphan in orphans if orphan["remote_id"] is None)
    return CreatedIds(len(files), unused, unknown, path)
