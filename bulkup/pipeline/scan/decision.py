"""The action for a file that was found: by the journal's record, the service's rules and the file's place there.

A run and a preview use the same function. Pure.
"""

from __future__ import annotations

import enum
from typing import Literal

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Claim, Holder, KnownFile
from bulkup.journal.kept_rejections import reason_of
from bulkup.model.files import Digest, FoundFile, Identity, NameAtService, Place, Source
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Rejection
from bulkup.pipeline.options import IdentityMode
from bulkup.providers import FileSpec, Provider


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """When a file counts as changed since its upload; `now` is Unix time.

    With `reupload_expired`, an upload that the service no longer keeps counts as none. A file that the service rejected
    in an earlier run, when it was asked with the settings of `settings_digest`, is not asked for again. With `removes`,
    settled files are decided one by one, because they may have to be removed from their source.
    """

    now: float
    identity: IdentityMode = "default"
    reupload_expired: bool = False
    settings_digest: str = ""
    removes: bool = False


class Action(enum.Enum):
    """The next step for a file."""

    SETTLED = "settled"  # none: an earlier run uploaded this version
    RECHECK = "recheck"  # compare digests: it may be the version that was uploaded
    CLOSE = "close"  # make the closing call: storage has the bytes
    RESUME = "resume"  # use the ticket of an earlier run, if it is still valid
    KNOWN_DIGEST = "known digest"  # upload, with a digest of an earlier run
    UPLOAD = "upload"


def action_for(
    known: KnownFile | None, identity: Identity, mode: IdentityMode, place: Place | None = None, *, gone: bool = False
) -> Action:
    """Return the action for a file with the record `known`.

    An upload to another place than `place` does not count, nor one that is `gone` from the service. With a place of
    None every place counts.
    """
    if known is None:
        return Action.UPLOAD
    moved = place is not None and known.place != place.name
    if known.state in DONE and not moved and not gone:
        return _of_uploaded(known, identity, mode)
    if known.state is FileState.PENDING and known.identity == identity and known.digest is not None:
        return Action.KNOWN_DIGEST
    if known.identity != identity or moved:
        return Action.UPLOAD
    if known.state is FileState.STORED and known.receipt is not None and known.ticket is not None:
        return Action.CLOSE
    if known.state is FileState.TICKETED and known.ticket is not None:
        return Action.RESUME
    return Action.UPLOAD


def _of_uploaded(known: KnownFile, identity: Identity, mode: IdentityMode) -> Action:
    """Return the action for an uploaded file, by mode:

    - `default`: size and modification time decide; if only other values differ (inode and device after a remount,
      ctime after a chmod), the content decides.
    - `strict`: any difference uploads the file again.
    - `size-mtime`: only size and modification time decide.
    - `content`: the content always decides.

    Content is compared by digest, so a file that was sent without one is uploaded again.
    """
    may_be_the_same = known.digest is not None and known.identity.size == identity.size
    if mode == "content":
        return Action.RECHECK if may_be_the_same else Action.UPLOAD
    if known.identity == identity:
        return Action.SETTLED
    if mode == "size-mtime":
        return Action.SETTLED if known.matches(identity) else Action.UPLOAD
    may_be_the_same = may_be_the_same and known.identity.mtime_ns == identity.mtime_ns
    return Action.RECHECK if may_be_the_same and mode == "default" else Action.UPLOAD


# Actions that need the service's consent. A recheck may show that nothing is to be sent, so it comes later there.
_UPLOADING = frozenset({Action.UPLOAD, Action.RESUME, Action.KNOWN_DIGEST})
# Actions that use the digest of an earlier run.
_KNOWING = frozenset({Action.RESUME, Action.KNOWN_DIGEST})
# Settled files and files to confirm have their place already.
_CLAIMING = _UPLOADING | {Action.RECHECK}


@dataclass(slots=True)
class FileDecision:
    """The action for one file, and its place at the service.

    `name` is set where the service ignores the case of names. `rejection` is the service's reason to refuse the file,
    `place_taken` the reason why it cannot have its place or its name.
    `expired`: an earlier run uploaded it, and the service no longer keeps it.
    """

    file: FoundFile
    known: KnownFile | None
    action: Action
    place: Place | None = None
    name: NameAtService | None = None
    rejection: Rejection | None = None
    hashed_first: bool = False
    expired: bool = False
    place_taken: Rejection | None = None

    def passed_over(self, unsupported: Literal["report", "skip"]) -> bool:
        """Return whether the file is of an unsupported kind, and the setting `unsupported` skips those."""
        return unsupported == "skip" and self.rejection is not None and self.rejection.unsupported

    @property
    def removable(self) -> bool:
        """Return whether an earlier run proved the upload of exactly this file, and the service keeps it."""
        known = self.known
        proven = known is not None and known.state is FileState.UPLOADED and known.identity == self.file.identity
        return self.action is Action.SETTLED and proven and not self.expired

    @property
    def claims(self) -> list[Claim]:
        """The claims to make: on a place that only one file can have, and on a name that ignores case."""
        if self.rejection is not None or self.action not in _CLAIMING:
            return []
        names = [self.place.name] if self.place is not None and self.place.exclusive else []
        names += [self.name.key] if self.name is not None else []
        source = self.file.source
        return [Claim(name, (source.id, self.file.path), self.file.full_path, source.name) for name in names]

    def refuse(self, claim: Claim, holder: Holder, provider: Provider) -> None:
        """Note why the file cannot have a place or name that another file holds, unless both can have it."""
        source = self.file.source
        if self.name is not None and claim.name == self.name.key:
            held = provider.name_at_service(FileSpec.at(holder.path))
            if held is not None and held.key == self.name.key and held.name != self.name.name:
                self.place_taken = name_taken(self.name, holder, source, provider.name)
        elif self.place is not None:
            self.place_taken = place_taken(self.place, holder, source, provider.name)


def decide(file: FoundFile, known: KnownFile | None, provider: Provider, policy: ChangePolicy) -> FileDecision:
    """Return the decision for a file with the record `known`."""
    placed, mode = provider.capabilities.placed, policy.identity
    expired = known is not None and known.expired(policy.now)
    gone = expired and policy.reupload_expired
    if not placed and (action := action_for(known, file.identity, mode, gone=gone)) is Action.SETTLED:
        return FileDecision(file, known, action, expired=expired)  # the case of nearly all files in a repeated run
    spec = FileSpec.of(file)
    place = provider.place(spec) if placed else None
    action = action_for(known, file.identity, mode, place, gone=gone)
    rejection = provider.reject(spec) or _kept_rejection(file, known, policy) if action in _UPLOADING else None
    if action in _KNOWING and known is not None and not _usable(known.digest, provider):
        action = Action.UPLOAD
    name = provider.name_at_service(spec) if placed and action in _CLAIMING else None
    return FileDecision(file, known, action, place, name, rejection, provider.hashes_first(spec), expired)


def _usable(digest: Digest | None, provider: Provider) -> bool:
    """Return whether a digest of an earlier run is of the algorithm that the presign call needs."""
    needed = provider.capabilities.checksum_first
    return needed is None or digest is None or digest.algorithm == needed


def _kept_rejection(file: FoundFile, known: KnownFile | None, policy: ChangePolicy) -> Rejection | None:
    if known is None or known.rejection is None or known.identity != file.identity:
        return None
    reason = reason_of(known.rejection, policy.settings_digest)
    return None if reason is None else Rejection(reason, unsupported=True, kept=True)


def all_settled(provider: Provider, policy: ChangePolicy, *, expired: bool) -> bool:
    """Return whether every file that is exactly as it was uploaded is settled.

    `expired` selects the files that the service no longer keeps, or those that it keeps. The decision depends on the
    file only by its place, so without places one example decides for all.
    """
    if provider.capabilities.placed:
        return False
    any_file = FoundFile(Source(b"/"), b"any", Identity(1, 1, 1, 1, 1))
    known = KnownFile(
        FileState.UPLOADED, any_file.identity, None, None, None, kept_until=policy.now if expired else None
    )
    return decide(any_file, known, provider, policy).action is Action.SETTLED


def place_taken(place: Place, holder: Holder, source: Source, provider: str) -> Rejection:
    """Return the rejection of a file whose place belongs to `holder`."""
    return Rejection(f"its place at {provider}, {place.name}, is taken by {_shown(holder, source)}")


def name_taken(name: NameAtService, holder: Holder, source: Source, provider: str) -> Rejection:
    """Return the rejection of a file whose name differs only by case from that of `holder`."""
    own = f"its name at {provider}, {name.name!r} in {name.group}"
    return Rejection(f"{own}, differs only by case from that of {_shown(holder, source)}")


def _shown(holder: Holder, source: Source) -> str:
    """Return a file as messages about another file of `source` name it."""
    path = holder.path if holder.source == source.root else holder.full_path
    shown = path.decode("utf-8", "replace")
    if None not in (source.name, holder.source_name) and source.name != holder.source_name:
        shown += f" in the source {holder.source_name}"
    return shown
