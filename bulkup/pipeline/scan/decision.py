"""What is to become of a file that was found: the journal's plan, the service's rules and the place it is to have.

Pure; a run and a preview decide by the same function.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Literal

from bulkup.journal import Claim, Holder, KnownFile
from bulkup.model.files import Digest, FoundFile, Identity, Place, Source, extension_of
from bulkup.model.states import DONE, FileState
from bulkup.model.tickets import Rejection
from bulkup.providers import FileSpec, Provider

IdentityMode = Literal["strict", "default", "content"]


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """How far the record of an upload is believed, at the Unix time `now`.

    With `reupload_expired`, what the service keeps no longer counts as not uploaded.
    """

    now: float
    identity: IdentityMode = "default"
    reupload_expired: bool = False


class Action(enum.Enum):
    """What is to be done with a file."""

    SETTLED = "settled"  # an earlier run uploaded it as it is now
    RECHECK = "recheck"  # it may be what was uploaded: its digest decides
    CONFIRM = "confirm"  # its bytes are there, the closing call is missing
    RESUME = "resume"  # it has a ticket that may still be good
    KNOWN_DIGEST = "known digest"  # it was hashed ahead already
    UPLOAD = "upload"


def action_for(
    known: KnownFile | None, identity: Identity, mode: IdentityMode, place: Place | None = None, *, gone: bool = False
) -> Action:
    """Return what is to be done with a file of which the journal knows `known`, and which is to stand at `place`.

    What was sent to another place than that is of no use, and so is what is `gone` from the service; a place of None
    makes no difference.
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
        return Action.CONFIRM
    if known.state is FileState.TICKETED and known.ticket is not None:
        return Action.RESUME
    return Action.UPLOAD


def _of_uploaded(known: KnownFile, identity: Identity, mode: IdentityMode) -> Action:
    """Return the plan for an uploaded file.

    `default`: size and modification time are believed while all else is the same too; where only the rest differs (the
    inode and device of a remount, the ctime of a chmod) the content decides. `strict`: any difference uploads again.
    `content`: the content always decides. Content can only be compared where a digest was recorded; a file that was
    sent without one is uploaded again.
    """
    may_be_the_same = known.digest is not None and known.identity.size == identity.size
    if mode == "content":
        return Action.RECHECK if may_be_the_same else Action.UPLOAD
    if known.identity == identity:
        return Action.SETTLED
    may_be_the_same = may_be_the_same and known.identity.mtime_ns == identity.mtime_ns
    return Action.RECHECK if may_be_the_same and mode == "default" else Action.UPLOAD


# A file that is only looked at again may turn out to be what it was; whether it is taken is asked once it is not.
_ASKING = frozenset({Action.UPLOAD, Action.RESUME, Action.KNOWN_DIGEST})
# What the service has, or is only to be confirmed, has its place already.
_CLAIMING = _ASKING | {Action.RECHECK}


@dataclass(slots=True)
class FileDecision:
    """The action for one file, and its place at the service. `place_taken` says why it cannot have that place,
    `expired` that an earlier run uploaded it, longer ago than the service keeps it.
    """

    file: FoundFile
    known: KnownFile | None
    what: Action
    place: Place | None = None
    rejection: Rejection | None = None
    hashed_first: bool = False
    expired: bool = False
    place_taken: Rejection | None = None

    def passed_over(self, unsupported: Literal["report", "skip"]) -> bool:
        """Say whether the file is of a kind that is to be left out without a word."""
        return unsupported == "skip" and self.rejection is not None and self.rejection.unsupported

    @property
    def claim(self) -> Claim | None:
        """The claim to be made on its place, None where no other file could want it, or it has it already."""
        if self.place is None or not self.place.exclusive or self.rejection is not None or self.what not in _CLAIMING:
            return None
        return Claim(self.place.name, (self.file.source.id, self.file.path), self.file.full_path, self.file.source.name)


def decide(file: FoundFile, known: KnownFile | None, provider: Provider, trust: ChangePolicy) -> FileDecision:
    """Return what is to become of a file of which the journal knows `known`."""
    placed, mode = provider.capabilities.placed, trust.identity
    expired = known is not None and known.expired(trust.now)
    gone = expired and trust.reupload_expired
    if not placed and (what := action_for(known, file.identity, mode, gone=gone)) is Action.SETTLED:
        return FileDecision(file, known, what, expired=expired)  # as nearly all are, most nights
    spec = spec_of(file)
    place = provider.place(spec) if placed else None
    what = action_for(known, file.identity, mode, place, gone=gone)
    rejection = provider.reject(spec) if what in _ASKING else None
    return FileDecision(file, known, what, place, rejection, provider.hashes_first(spec), expired)


def all_settled(provider: Provider, trust: ChangePolicy, *, expired: bool) -> bool:
    """Say whether nothing is to be done with any file that was uploaded exactly as it is now.

    `expired` asks of those that the service keeps no longer, else of those that it keeps. One that is made up speaks
    for all: nothing but the place that each is to have could tell them apart.
    """
    if provider.capabilities.placed:
        return False
    any_file = FoundFile(Source(b"/"), b"any", Identity(1, 1, 1, 1, 1))
    known = KnownFile(
        FileState.UPLOADED, any_file.identity, None, None, None, kept_until=trust.now if expired else None
    )
    return decide(any_file, known, provider, trust).what is Action.SETTLED


def spec_of(file: FoundFile, digest: Digest | None = None) -> FileSpec:
    """Return what a provider is told of a file. Bytes that are not UTF-8 become surrogates, as everywhere in Python."""
    size, mtime_ns = file.identity.size, file.identity.mtime_ns
    path = os.fsdecode(file.path)
    name = path[path.rfind("/") + 1 :]
    return FileSpec(name, path, extension_of(name), size, digest, mtime_ns / 1_000_000_000)


def place_taken(place: Place, holder: Holder, source: Source, provider: str) -> Rejection:
    """Return why a file cannot have a place that another one holds."""
    path = holder.path if holder.source == source.root else holder.full_path
    shown = path.decode("utf-8", "replace")
    if None not in (source.name, holder.source_name) and source.name != holder.source_name:
        shown += f" in the source {holder.source_name}"
    return Rejection(f"its place at {provider}, {place.name}, is that of {shown}: one file alone can stand there")
