"""A provider for bulkup: the imaginary service Parcel. Copy this package to begin one of your own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.plugins import ProviderDeclaration, ProviderPlugin

__all__ = ["PLUGIN"]


def _check(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of the table `[profiles.NAME.plugin]`. Raises ValueError."""
    unknown = sorted(set(table) - {"shelf"})
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]}; the only one is shelf")
    shelf = table.get("shelf", "inbox")
    if not isinstance(shelf, str) or not shelf:
        raise ValueError(f"shelf: expected the name of a shelf, not {shelf!r}")
    return {"shelf": shelf}


# bulkup imports this module to check a profile, and `adapter` when a run starts.
PLUGIN = ProviderPlugin(
    declaration=ProviderDeclaration(base_url="https://api.parcel.example", credentials=(("token",),)),
    provider="bulkup_parcel.adapter:Parcel",
    check=_check,
)
