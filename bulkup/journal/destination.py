"""The destination of uploads, which is part of every row's key."""

from __future__ import annotations

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """A service, its base URL and the account's scope. A rotated key is not another destination."""

    provider: str
    base_url: str
    scope: str = ""
