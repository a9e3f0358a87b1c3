"""What a run would do: the same walk, the same lookups, the same decisions, and no call, no lock and no write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bulkup.api import composition
from bulkup.config import PROVIDERS, Settings, journal_path, require_provider
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.journal import Holder, ReadOnlyView, read_only_view
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile
from bulkup.model.tickets import Rejection
from bulkup.pipeline.scan.decision import Action, ChangePolicy, FileDecision, decide, place_taken
from bulkup.pipeline.scan.walk import Unreadable, Walk
from bulkup.providers import Provider

_WORDS = {
    Action.SETTLED: "unchanged",
    Action.RECHECK: "check",
    Action.CONFIRM: "confirm",
    Action.RESUME: "upload",
    Action.KNOWN_DIGEST: "upload",
    Action.UPLOAD: "upload",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of one file.

    `action` is `upload`, `check` (hash it first), `confirm`, `unchanged`, `skipped` (of a kind that the service does
    not take, with `unsupported = "skip"`), `rejected` or `unreadable`. `taken` says that it is rejected because another
    file has its place at the service, `expired` that it was uploaded longer ago than the service keeps it.
    """

    source: str
    path: bytes
    size: int
    action: str
    reason: str | None = None
    taken: bool = False
    expired: bool = False


def preview(
    settings: Settings,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Iterator[Preview]:
    """Yield what a run with these settings would do with each file. Raises `BulkupError` as a run would."""
    environ, clock = os.environ if environ is None else environ, clock or SystemClock()
    sources = composition.resolve_sources(settings)
    require_provider(settings)
    path = journal_path(settings, profile, settings.source, environ)
    base_url = _base_url(settings, environ)
    values = composition.provider_settings(settings, sources)
    provider = composition.build_provider(settings, base_url, {}, values, clock)
    with read_only_view(path, composition.destination(settings, provider, base_url), sources) as known:
        trust = ChangePolicy(clock.now(), settings.identity, settings.reupload_expired)
        look = _Look(settings, provider, known, trust)
        walk = Walk(known.sources, composition.scan_options(settings), Ignored(), clock.now())
        for source in known.sources:
            for entry in walk.entries(source):
                if isinstance(entry, Unreadable):
                    yield Preview(source.shown, entry.path, 0, "unreadable", entry.reason)
                else:
                    yield look.at(entry)


def place_conflicts(settings: Settings, *, profile: str | None, environ: Mapping[str, str]) -> Iterator[Preview]:
    """Yield the files that cannot have their place because another one has it, where the service has such places.

    Walks the whole tree. Raises `BulkupError` as a run would.
    """
    if PROVIDERS[require_provider(settings)].places:
        yield from (entry for entry in preview(settings, profile=profile, environ=environ) if entry.taken)


def _base_url(settings: Settings, environ: Mapping[str, str]) -> str:
    if composition.uses_embedded_server(settings):
        return "file://" + composition.local_server_config(settings, environ).store
    return composition.public_base_url(settings)


@dataclass(frozen=True, slots=True)
class _Look:
    settings: Settings
    provider: Provider
    journal: ReadOnlyView
    trust: ChangePolicy

    def at(self, file: FoundFile) -> Preview:
        lookup = self.journal.lookup
        known = lookup.find([file])[0] if lookup is not None else None
        wish = decide(file, known, self.provider, self.trust)
        taken_by = self._taken(wish)
        refusal = wish.rejection or taken_by
        action = "rejected" if refusal is not None else _WORDS[wish.action]
        action = "skipped" if wish.passed_over(self.settings.unsupported) else action
        return Preview(
            file.source.shown,
            file.path,
            file.identity.size,
            action,
            _reason(wish, refusal),
            taken=taken_by is not None,
            expired=wish.expired,
        )

    def _taken(self, wish: FileDecision) -> Rejection | None:
        claim = wish.claim
        if claim is None or wish.place is None:
            return None
        holder = self.journal.places.claim(claim, Holder(wish.file.source.root, wish.file.path, wish.file.source.name))
        return None if holder is None else place_taken(wish.place, holder, wish.file.source, self.provider.name)


def _reason(wish: FileDecision, refusal: Rejection | None) -> str | None:
    if refusal is not None:
        return refusal.reason
    again = wish.expired and wish.action is Action.UPLOAD
    same = wish.known is not None and wish.known.matches(wish.file.identity)
    return "the service no longer keeps what was uploaded" if again and same else None
