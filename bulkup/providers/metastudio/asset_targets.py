"""Which asset of MetaStudio a file goes to: a line of the asset map, else the first rule that matches, else the
profile's asset. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkup.providers.base import FileSpec, valid_text

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Target(NamedTuple):
    """Where a file goes, as what, and under which name."""

    asset_id: str
    category: str
    name: str


class Assets:
    """The settings `asset_map` (read already), `assets`, `asset_id` and `asset_file_category`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._map = settings["asset_map"] or {}
        self._rules = [(_compiled(rule.match), rule) for rule in settings["assets"]]
        self._asset_id: str | None = settings["asset_id"]
        self._category: str = settings["asset_file_category"]

    def of(self, spec: FileSpec) -> Target | None:
        """Return where this file goes, None where nothing names an asset for it."""
        name = valid_text(spec.name)
        line = self._map.get(spec.path)
        if line is not None:
            return Target(line.asset_id, line.asset_file_category or self._category, line.name or name)
        for pattern, rule in self._rules:
            if pattern.match_file(spec.path):
                return Target(rule.asset_id, rule.asset_file_category or self._category, name)
        return Target(self._asset_id, self._category, name) if self._asset_id is not None else None


def _compiled(pattern: str) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # all providers are imported, and few runs have rules

    return GitIgnoreSpec.from_lines([pattern])
