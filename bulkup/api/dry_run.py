"""A dry run: the same walk, lookups and decisions as a run, without calls, lock and writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Literal

from bulkup.api import composition
from bulkup.api.disposal_check import disposal_options
from bulkup.config import Settings, journal_path, require_provider, require_same_shards, with_region
from bulkup.config.provider_plugins import declaration_of
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Holder, ReadOnlyView, read_only_view
from bulkup.model.counters import Ignored
from bulkup.model.files import FoundFile
from bulkup.model.tickets import Rejection
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.files.removal import may_be_removed
from bulkup.pipeline.scan.decision import Action, ChangePolicy, FileDecision, decide
from bulkup.pipeline.scan.walk import Unexamined, Walk
from bulkup.providers import Provider

_ACTION_WORDS = {
    Action.SETTLED: "unchanged",
    Action.RECHECK: "check",
    Action.CLOSE: "confirm",
    Action.RESUME: "upload",
    Action.KNOWN_DIGEST: "upload",
    Action.UPLOAD: "upload",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """The action of a run for one file.

    `action` is `upload`, `check` (hash it first), `confirm`, `unchanged`, `skipped` (unsupported by the service, with
    `unsupported = "skip"`), `rejected`, `unreadable` or `changed` (it vanished). `taken` says that it is rejected
    because another file holds its place at the service, `expired` that the service has deleted the upload. `then` is
    `remove` or `move` for a file that leaves its source: at once if it is unchanged, else once its upload is proven.
    """

    source: str
    path: bytes
    size: int
    action: str
    reason: str | None = None
    taken: bool = False
    expired: bool = False
    then: Literal["remove", "move"] | None = None


def preview(
    settings: Settings,
    *,
    profile: str | None = None,
    config_file: str | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    ignored: Ignored | None = None,
) -> Iterator[Preview]:
    """Yield the action of a run with these settings for each file. Raises `BulkupError` as a run would.

    Entries that are not files of the run are counted in `ignored`.
    """
    environ, clock = os.environ if environ is None else environ, clock or SystemClock()
    left_out = Ignored() if ignored is None else ignored
    settings = with_region(settings, environ)
    sources = composition.resolve_sources(settings)
    require_provider(settings)
    disposal_options(settings, sources)
    path = journal_path(settings, profile, settings.source, environ, config_file)
    require_same_shards(path, settings)
    base_url = _base_url(settings, environ)
    values = composition.provider_settings(settings, sources)
    provider = composition.build_provider(settings, base_url, {}, values, clock)
    destination = composition.destination(settings, provider, base_url)
    with contextlib.closing(provider), read_only_view(path, destination, sources) as view:
        digest = "" if settings.retry_rejected else composition.settings_digest(provider)
        policy = ChangePolicy(clock.now(), settings.identity, settings.reupload_expired, digest)
        decider = _Decider(settings, provider, view, policy)
        own = composition.own_files(settings, path, environ)
        with contextlib.closing(FileOpener(settings.symlinks, settings.identity)) as opener:
            walk = Walk(view.sources, composition.scan_options(settings), left_out, clock.now(), opener, own)
            for source in view.sources:
                for entry in walk.entries(source):
                    if isinstance(entry, Unexamined):
                        problem = entry.problem
                        yield Preview(source.shown, entry.path, 0, problem.kind.value, problem.message)
                    else:
                        yield decider.preview(entry)


def place_conflicts(
    settings: Settings, *, profile: str | None, environ: Mapping[str, str], config_file: str | None = None
) -> Iterator[Preview]:
    """Yield the files whose exclusive place at the service another file holds.

    If the service has such places, this walks the whole tree. Raises `BulkupError` as a run would.
    """
    if declaration_of(require_provider(settings)).places:
        found = preview(settings, profile=profile, config_file=config_file, environ=environ)
        yield from (entry for entry in found if entry.taken)


def _base_url(settings: Settings, environ: Mapping[str, str]) -> str:
    if composition.uses_embedded_server(settings):
        return "file://" + composition.local_server_config(settings, environ).store
    return composition.public_base_url(settings)


@dataclass(frozen=True, slots=True)
class _Decider:
    settings: Settings
    provider: Provider
    journal: ReadOnlyView
    policy: ChangePolicy

    def preview(self, file: FoundFile) -> Preview:
        lookup = self.journal.lookup
        known = lookup.find([file])[0] if lookup is not None else None
        decision = decide(file, known, self.provider, self.policy)
        holder_rejection = self._taken(decision)
        refusal = decision.rejection or holder_rejection
        action = "rejected" if refusal is not None else _ACTION_WORDS[decision.action]
        action = "skipped" if decision.passed_over(self.settings.unsupported) else action
        return Preview(
            file.source.shown,
            file.path,
            file.identity.size,
            action,
            _reason(decision, refusal),
            taken=holder_rejection is not None,
            expired=decision.expired,
            then=self._then(decision, action),
        )

    def _then(self, decision: FileDecision, action: str) -> Literal["remove", "move"] | None:
        settings = self.settings
        leaves = action in ("upload", "confirm") or decision.removable
        if not leaves or not (settings.delete_after_upload or settings.move_to) or not may_be_removed(decision.file):
            return None
        return "remove" if settings.move_to is None else "move"

    def _taken(self, decision: FileDecision) -> Rejection | None:
        file = decision.file
        for claim in decision.claims:
            holder = self.journal.places.claim(claim, Holder(file.source.root, file.path, file.source.name))
            if holder is not None:
                decision.refuse(claim, holder, self.provider)
        return decision.place_taken


def _reason(decision: FileDecision, refusal: Rejection | None) -> str | None:
    if refusal is not None:
        return refusal.reason
    again = decision.expired and decision.action is Action.UPLOAD
    same = decision.known is not None and decision.known.matches(decision.file.identity)
    return "the service no longer keeps what was uploaded" if again and same else None
