"""What a run would do: the same walk, the same lookups, the same decisions, and no call, no lock and no write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bulkup.api import building
from bulkup.clock import Clock, SystemClock
from bulkup.config import Settings, journal_path, require_provider
from bulkup.counters import Ignored
from bulkup.journal import peek
from bulkup.messages import FoundFile
from bulkup.pipeline.plan import Plan, plan
from bulkup.pipeline.scanner import spec_of
from bulkup.pipeline.walk import Unreadable, Walk
from bulkup.providers import Provider

_WORDS = {
    Plan.SETTLED: "unchanged",
    Plan.RECHECK: "check",
    Plan.CONFIRM: "confirm",
    Plan.RESUME: "upload",
    Plan.KNOWN_DIGEST: "upload",
    Plan.UPLOAD: "upload",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of one file.

    `action` is `upload`, `check` (hash it first), `confirm`, `unchanged`, `rejected` or `unreadable`.
    """

    source: str
    path: bytes
    size: int
    action: str
    reason: str | None = None


def preview(
    settings: Settings,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Iterator[Preview]:
    """Yield what a run with these settings would do with each file. Raises `BulkupError` as a run would."""
    environ = os.environ if environ is None else environ
    sources = building.resolve_sources(settings.source, listed=settings.files_from is not None)
    require_provider(settings)
    path = journal_path(settings, profile, settings.source, environ)
    base_url = _base_url(settings, environ)
    provider = building.build_provider(settings, base_url, {})
    with peek(path, building.destination(settings, provider, base_url), sources) as (lookup, numbered):
        walk = Walk(numbered, building.scan_options(settings), Ignored(), (clock or SystemClock()).now())
        for source in numbered:
            for entry in walk.entries(source):
                if isinstance(entry, Unreadable):
                    yield Preview(source.shown, entry.path, 0, "unreadable", entry.reason)
                elif entry is not None:
                    known = lookup.find([entry])[0] if lookup is not None else None
                    yield _of(entry, plan(known, entry.identity, settings.identity), provider)


def _base_url(settings: Settings, environ: Mapping[str, str]) -> str:
    if settings.provider == building.LOCAL:
        return "file://" + building.local_server_config(settings, environ).store
    return building.public_base_url(settings)


def _of(file: FoundFile, what: Plan, provider: Provider) -> Preview:
    rejection = provider.reject(spec_of(file)) if what is Plan.UPLOAD else None
    action = "rejected" if rejection is not None else _WORDS[what]
    reason = rejection.reason if rejection is not None else None
    return Preview(file.source.shown, file.path, file.identity.size, action, reason)
