"""Selects the asset of MetaStudio for a file. Pure.

A line of the asset map has precedence, then the first rule that matches, then the asset of the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkup.helpers.gitignore import Patterns
from bulkup.providers.base import FileSpec, valid_text


class AssetTarget(NamedTuple):
    """The asset that a file belongs to, its category there, its name, and the type of the asset if a setting has it."""

    asset_id: str
    category: str
    name: str
    asset_type: str | None = None


class AssetTargets:
    """Selects assets by the settings `asset_map` (already loaded), `assets`, `asset_id` and `asset_file_category`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._map = settings["asset_map"] or {}
        self._rules = [(Patterns([rule.match]), rule) for rule in settings["assets"]]
        self._asset_id: str | None = settings["asset_id"]
        self._category: str = settings["asset_file_category"]
        # A type that is given once for an asset holds for all its files.
        self._types: dict[str, str] = {rule.asset_id: rule.asset_type for _, rule in self._rules if rule.asset_type}
        if self._asset_id is not None and settings["asset_type"] is not None:
            self._types[self._asset_id] = settings["asset_type"]

    def find(self, spec: FileSpec) -> AssetTarget | None:
        """Return the asset of a file, None if no setting names one."""
        name = valid_text(spec.name)
        line = self._map.get(spec.path)
        if line is not None:
            return self._target(line.asset_id, line.asset_file_category, line.name or name, line.asset_type)
        for pattern, rule in self._rules:
            if pattern.match(spec.path):
                return self._target(rule.asset_id, rule.asset_file_category, name, rule.asset_type)
        return self._target(self._asset_id, None, name, None) if self._asset_id is not None else None

    def _target(self, asset_id: str, category: str | None, name: str, asset_type: str | None) -> AssetTarget:
        return AssetTarget(asset_id, category or self._category, name, asset_type or self._types.get(asset_id))
