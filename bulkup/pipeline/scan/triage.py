"""Which of the files that were found there is something to be done with; asked of the journal, a block at a time.

Most nights nearly all files are as an earlier run uploaded them. They are told from the others by one comparison each,
and only counted. Whatever is not as plain as that is decided file by file, by `decision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkup.journal import Lookup
from bulkup.model.files import FoundFile, Identity, Source, Stat
from bulkup.pipeline.scan.decision import ChangePolicy, FileDecision, all_settled, decide
from bulkup.providers import Provider


@dataclass(slots=True)
class Triage:
    """Files that were found, in figures, and what is to become of those that something is to be done with.

    `settled` are those of earlier runs; `expired` are those among them that the service keeps no longer.
    """

    found: int = 0
    bytes_found: int = 0
    settled: int = 0
    bytes_settled: int = 0
    expired: int = 0
    wishes: list[FileDecision] = field(default_factory=list)


def triage(
    source: Source, files: Mapping[bytes, Stat], lookup: Lookup, provider: Provider, trust: ChangePolicy, into: Triage
) -> None:
    """Add what is to become of the files of a source, by path with what `stat` says. Raises `JournalError`."""
    expired, left = list[bytes](), list(files)
    if all_settled(provider, trust, expired=False):
        _, expired, left = lookup.compare(source, files, trust.now)
        if not all_settled(provider, trust, expired=True):
            left += expired
            expired = []
    others = [FoundFile(source, path, Identity.of_stat(files[path])) for path in left]
    bytes_found = sum([stat[0] for stat in files.values()])
    into.found += len(files)
    into.bytes_found += bytes_found
    into.settled += len(files) - len(others)
    into.bytes_settled += bytes_found - sum([file.identity.size for file in others])
    into.expired += len(expired)
    for file, known in zip(others, lookup.find(others), strict=True):
        into.wishes.append(decide(file, known, provider, trust))
