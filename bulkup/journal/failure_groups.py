"""Groups the files that were not uploaded by their reason, in memory that grows with the number of reasons alone.

SQLite counts equal texts. Texts that differ in details, such as a request's id, are joined here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal.database import row_values
from bulkup.journal.kept_rejections import shown_reason
from bulkup.journal.reader import Reader
from bulkup.journal.skipped_rejections import NOT_SKIPPED, skipping_run
from bulkup.model.journal_rows import FailureGroup
from bulkup.model.states import NOT_UPLOADED, FileState

# min() has SQLite take the source from the row that has the smallest path. The sizes are in two sums, because SQLite's
# integers have 64 bits, and sparse files can have exabytes.
_COUNTED = """
SELECT state, error, count(*), sum(size >> 32), sum(size & 0xFFFFFFFF), source_id, min(path)
FROM files WHERE state IN ({states}) AND run_id >= ? AND {shown} GROUP BY state, error
"""
_OTHER = "other reasons"
_UNKNOWN = "no reason was recorded"


@dataclass(frozen=True, slots=True)
class GroupingOptions:
    """The number of reasons that are kept apart. Further ones count as one."""

    most: int = 1000


_DEFAULTS = GroupingOptions()


def failure_groups(
    reader: Reader, alike: Callable[[str], str], since: int = 0, options: GroupingOptions = _DEFAULTS
) -> list[FailureGroup]:
    """Return the groups, the largest first. `alike` returns a reason without the details of single files.

    With `since`, the number of a run, files count that it or a later run has met. Rejected files that a later run has
    skipped do not count. Raises `JournalError`.
    """
    roots = {source.id: source.root for source in reader.sources()}
    groups: dict[tuple[FileState, str], FailureGroup] = {}
    shown = NOT_SKIPPED.format(run=skipping_run(reader))
    query = _COUNTED.format(states=", ".join(f"'{state.value}'" for state in NOT_UPLOADED), shown=shown)
    for state, error, files, high, low, source_id, path in reader.stream(query, since):
        with row_values(reader.path):
            status, text = FileState(state), shown_reason(error) or _UNKNOWN
            found = FailureGroup(status, alike(text), files, (high << 32) + low, roots[source_id], path, text)
        key = status, found.reason
        if key not in groups and len(groups) >= options.most:
            key, found = (status, _OTHER), replace(found, reason=_OTHER)
        known = groups.get(key)
        groups[key] = found if known is None else _joined(known, found)
    return sorted(groups.values(), key=lambda group: (-group.files, group.status, group.reason))


def _joined(one: FailureGroup, other: FailureGroup) -> FailureGroup:
    first = min(one, other, key=lambda group: (group.source, group.path))
    return replace(first, files=one.files + other.files, size=one.size + other.size)
