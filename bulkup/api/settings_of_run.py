"""The settings of a run as text without secrets, for the record that it keeps of itself.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.config import Settings
from bulkup.config.catalogue import SETTINGS
from bulkup.helpers.short_text import shortened
from bulkup.reports.setting_values import value_lines

_LONGEST = 400  # characters of a value: a list of rules may be long
_OF_THE_TERMINAL = frozenset({"json", "quiet", "verbose"})  # they change what is printed, and nothing else


def shown_settings(settings: Settings) -> Mapping[str, str]:
    """Return the settings that differ from their defaults, by name, in the order of docs/settings.md."""
    values: Mapping[str, Any] = settings.model_dump(mode="json")
    return {
        name: shortened("\n".join(value_lines(values[one.field])), _LONGEST)
        for name, one in SETTINGS.items()
        if name not in _OF_THE_TERMINAL and getattr(settings, one.field) != one.default
    }
