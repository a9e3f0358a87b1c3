"""The journals of shards: their names, and those that earlier runs with another number of shards have left.

The journal of shard 2 of 4 has the name that the run would use without shards, with `+2of4` before its end. No profile
gives a name with `+`.
"""

from __future__ import annotations

import os
import re

from bulkup.config.settings import Settings
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import UsageError
from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.model.shard import WHOLE, Shard

_END = ".sqlite3"
_SHARD = lazy_pattern(r"(.*)\+([1-9][0-9]{0,4})of([1-9][0-9]{0,4})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ShardJournal:
    """The journal of a shard."""

    path: str
    shard: Shard


def shard_journal(common: str, shard: Shard | None) -> str:
    """Return the path of the journal of a shard; `common` is that of a run without shards, and of shard 1/1."""
    if shard is None or shard.total == 1:
        return common
    return f"{common.removesuffix(_END)}+{shard.number}of{shard.total}{_END}"


def without_shard(path: str) -> tuple[str, Shard]:
    """Return the path that a journal would have without shards, and its shard."""
    match = _SHARD.fullmatch(path.removesuffix(_END))
    if match is None:
        return path, WHOLE
    return match[1] + _END, Shard(int(match[2]), int(match[3]))


def journals_of_shards(common: str) -> list[ShardJournal]:
    """Return the journals on disk of all shards of `common`, in the order of their shards."""
    folder, name = os.path.split(common)
    start = f"{name.removesuffix(_END)}+"
    try:
        names = [one for one in os.listdir(folder) if one.startswith(start) and one.endswith(_END)]
    except OSError:
        return []
    found = [(one, *without_shard(os.path.join(folder, one))) for one in names]
    shards = [ShardJournal(os.path.join(folder, one), shard) for one, base, shard in found if base == common]
    return sorted(shards, key=lambda one: (one.shard.total, one.shard.number))


def journals_beside(path: str) -> list[str]:
    """Return the path of a journal, and after it those of the other shards if it is that of a shard."""
    common, shard = without_shard(path)
    shards = journals_of_shards(common) if shard.total > 1 else []
    return [path, *(one.path for one in shards if one.path != path)]


def require_same_shards(path: str, settings: Settings) -> None:
    """Raise UsageError if a run would begin a journal although runs with other shards have one of their own.

    It would upload the same files again. A journal that the settings name is the user's own choice.
    """
    if settings.journal is not None or os.path.exists(path):
        return
    common, shard = without_shard(path)
    others = [one for one in journals_of_shards(common) if one.shard.total != shard.total]
    if os.path.exists(common):
        raise _refused(common, "runs without shards", shard, "leave out `shard`")
    if others:
        total = others[0].shard.total
        raise _refused(others[0].path, f"runs with {total} shards", shard, f"use {total} shards as before")


def _refused(journal: str, earlier: str, shard: Shard, as_before: str) -> UsageError:
    wanted = f"shard {shard}" if shard.total > 1 else "a run without shards"
    return UsageError(
        f"there is a journal of {earlier}, {escape_surrogates(journal)}, and {wanted} would upload again what is in it",
        hint=f"{as_before}; docs/how-to/shards.md explains how to change their number",
    )
