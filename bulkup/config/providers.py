"""The names of the providers and what configuration needs to know of each: the one place a new one is
declared.

The adapters themselves live in `bulkup.providers`, which configuration may not import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderDefaults:
    """`base_url` is the service's public root, None where there is none. `secrets` are settings it cannot do
    without."""

    base_url: str | None
    secrets: tuple[str, ...] = ()


LOCAL = "local"  # the embedded server: started for the run, on a port of its own

PROVIDERS: Mapping[str, ProviderDefaults] = {
    "magic-hour": ProviderDefaults("https://api.magichour.ai", ("token",)),
    "move-ugc": ProviderDefaults("https://api.move.ai", ("api_key",)),
    LOCAL: ProviderDefaults(None),
}
