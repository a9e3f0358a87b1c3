"""Warns of a source that seems to have been moved: all its files would be uploaded again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping

from bulkup.api.composition import resolve_sources
from bulkup.config.loading import ResolvedSettings
from bulkup.config.paths import journal_path
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import BulkupError
from bulkup.journal.reader import Reader
from bulkup.journal.sources import KnownSource, overlapping_sources
from bulkup.model.files import Source


def moved_source_warnings(resolved: ResolvedSettings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning if the only source of a run is new to its journal, and one that the journal knows is gone.

    Errors of the settings and of the journal are left to the run, which reports them.
    """
    settings = resolved.settings
    if settings.source_id is not None or len(settings.source) != 1:
        return ()
    try:
        path = journal_path(settings, resolved.profile, settings.source, environ, resolved.config_file)
        if not os.path.isfile(path):
            return ()
        (source,) = resolve_sources(settings)
        with Reader(path) as reader:
            known = reader.sources()
    except BulkupError:
        return ()
    old = moved_from(source, known, os.path.lexists)
    if old is None:
        return ()
    before, now = (escape_surrogates(os.fsdecode(root)) for root in (old.root, source.root))
    name = shlex.quote(old.name or before)
    warning = (
        f"{now} is new to this journal, so all its files are uploaded again; {before}, which was uploaded before, no "
        f"longer exists: if it was moved, stop this run and use --source-id {name}"
    )
    return (warning,)


def moved_from(source: Source, known: Iterable[KnownSource], exists: Callable[[bytes], bool]) -> KnownSource | None:
    """Return the newest known source that is gone, None if the source is known or shares files with a known one."""
    known = tuple(known)
    if any(source.root == other.root for other in known) or overlapping_sources(source, known):
        return None
    return next((other for other in reversed(known) if not exists(other.root)), None)
