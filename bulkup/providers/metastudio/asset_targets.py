"""Selects the asset of MetaStudio for a file. Pure.

A line of the asset map has precedence, then the first rule that matches, then the asset of the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkup.helpers.gitignore import Patterns
from bulkup.providers.base import FileSpec, valid_text


class AssetTarget(NamedTuple):
    """The asset that a file belongs to, its category there, and its name."""

    asset_id: str
    category: str
    name: str


class AssetTargets:
    """Selects assets by the settings `asset_map` (already loaded), `assets`, `asset_id` and `asset_file_category`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._map = settings["asset_map"] or {}
        self._rules = [(Patterns([rule.match]), rule) for rule in settings["assets"]]
        self._asset_id: str | None = settings["asset_id"]
        self._category: str = settings["asset_file_category"]

    def find(self, spec: FileSpec) -> AssetTarget | None:
        """Return the asset of a file, None if no setting names one."""
        name = valid_text(spec.name)
        line = self._map.get(spec.path)
        if line is not None:
            return AssetTarget(line.asset_id, line.asset_file_category or self._category, line.name or name)
        for pattern, rule in self._rules:
            if pattern.match(spec.path):
                return AssetTarget(rule.asset_id, rule.asset_file_category or self._category, name)
        return AssetTarget(self._asset_id, self._category, name) if self._asset_id is not None else None
