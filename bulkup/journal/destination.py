"""Where uploads go, as the journal tells it apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """Another destination is another upload, a rotated key is not (docs/design.md section 6)."""

    provider: str
    base_url: str
    scope: str = ""
