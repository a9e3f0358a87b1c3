"""What is to become of a file that was found: the journal's plan, the service's rules and the place it is to have.

Pure; a run and a preview decide by the same function.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from bulkup.journal import Claim, Holder, Known
from bulkup.messages import Digest, FileState, FoundFile, Identity, Place, Rejection, Source, extension_of
from bulkup.pipeline.plan import Plan, Trust, plan
from bulkup.providers import FileSpec, Provider

# A file that is only looked at again may turn out to be what it was; whether it is taken is asked once it is not.
_ASKING = frozenset({Plan.UPLOAD, Plan.RESUME, Plan.KNOWN_DIGEST})
# What the service has, or is only to be confirmed, has its place already.
_CLAIMING = _ASKING | {Plan.RECHECK}


@dataclass(slots=True)
class Wish:
    """A file, what the journal means for it, and where it is to stand. `taken` tells that another file stands there,
    `expired` that an earlier run uploaded it, longer ago than the service keeps it.
    """

    file: FoundFile
    known: Known | None
    what: Plan
    place: Place | None = None
    rejection: Rejection | None = None
    hashed_first: bool = False
    expired: bool = False
    taken: Rejection | None = None

    def passed_over(self, unsupported: Literal["report", "skip"]) -> bool:
        """Say whether the file is of a kind that is to be left out without a word."""
        return unsupported == "skip" and self.rejection is not None and self.rejection.unsupported

    @property
    def claim(self) -> Claim | None:
        """The claim to be made on its place, None where no other file could want it, or it has it already."""
        if self.place is None or not self.place.exclusive or self.rejection is not None or self.what not in _CLAIMING:
            return None
        return Claim(self.place.name, (self.file.source.id, self.file.path), self.file.full_path, self.file.source.name)


def look_at(file: FoundFile, known: Known | None, provider: Provider, trust: Trust) -> Wish:
    """Return what is to become of a file of which the journal knows `known`."""
    placed, mode = provider.capabilities.placed, trust.identity
    expired = known is not None and known.expired(trust.now)
    gone = expired and trust.reupload_expired
    if not placed and (what := plan(known, file.identity, mode, gone=gone)) is Plan.SETTLED:
        return Wish(file, known, what, expired=expired)  # as nearly all are, most nights
    spec = spec_of(file)
    place = provider.place(spec) if placed else None
    what = plan(known, file.identity, mode, place, gone=gone)
    rejection = provider.reject(spec) if what in _ASKING else None
    return Wish(file, known, what, place, rejection, provider.hashes_first(spec), expired)


def all_settled(provider: Provider, trust: Trust, *, expired: bool) -> bool:
    """Say whether nothing is to be done with any file that was uploaded exactly as it is now.

    `expired` asks of those that the service keeps no longer, else of those that it keeps. One that is made up speaks
    for all: nothing but the place that each is to have could tell them apart.
    """
    if provider.capabilities.placed:
        return False
    any_file = FoundFile(Source(b"/"), b"any", Identity(1, 1, 1, 1, 1))
    known = Known(FileState.UPLOADED, any_file.identity, None, None, None, kept_until=trust.now if expired else None)
    return look_at(any_file, known, provider, trust).what is Plan.SETTLED


def spec_of(file: FoundFile, digest: Digest | None = None) -> FileSpec:
    """Return what a provider is told of a file. Bytes that are not UTF-8 become surrogates, as everywhere in Python."""
    size, mtime_ns = file.identity.size, file.identity.mtime_ns
    path = os.fsdecode(file.path)
    name = path[path.rfind("/") + 1 :]
    return FileSpec(name, path, extension_of(name), size, digest, mtime_ns / 1_000_000_000)


def taken(place: Place, holder: Holder, source: Source, provider: str) -> Rejection:
    """Return why a file cannot have a place that another one holds."""
    path = holder.path if holder.source == source.root else holder.full_path
    shown = path.decode("utf-8", "replace")
    if None not in (source.name, holder.source_name) and source.name != holder.source_name:
        shown += f" in the source {holder.source_name}"
    return Rejection(f"its place at {provider}, {place.name}, is that of {shown}: one file alone can stand there")
