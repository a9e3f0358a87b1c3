"""Separates settled files from the others, a block at a time, by the journal's records.

In a repeated run nearly all files are as an earlier run uploaded them. One comparison each finds these, and they are
only counted. All other files are decided one by one (`decision`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Lookup
from bulkup.model.files import FoundFile, Identity, Source, Stat
from bulkup.pipeline.scan.decision import ChangePolicy, FileDecision, all_settled, decide
from bulkup.providers import Provider


@dataclass(slots=True)
class Triage:
    """Counts of the files found, and the decisions for those that are not settled.

    `settled` counts files that earlier runs uploaded; `expired` those of them that the service no longer keeps.
    """

    found: int = 0
    bytes_found: int = 0
    settled: int = 0
    bytes_settled: int = 0
    expired: int = 0
    decisions: list[FileDecision] = field(default_factory=list)


def triage(
    source: Source, files: Mapping[bytes, Stat], lookup: Lookup, provider: Provider, policy: ChangePolicy, into: Triage
) -> None:
    """Add the files of a source, given by path with their `stat` values, to `into`. Raises `JournalError`."""
    expired, left = list[bytes](), list(files)
    if not policy.removes and all_settled(provider, policy, expired=False):
        _, expired, left = lookup.compare(source, files, policy.now)
        if not all_settled(provider, policy, expired=True):
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
        into.decisions.append(decide(file, known, provider, policy))
