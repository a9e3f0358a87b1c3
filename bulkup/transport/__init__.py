"""HTTP: API calls and bytes to storage, over connections that share nothing.

Here belongs all that touches the aiohttp client: connections, TLS, proxies, timeouts, redirects, and turning its errors
into `ProblemError` once. Not here: what an answer means (providers) and what to do about it (pipeline).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.lazy import lazily
from bulkup.transport.hosts import HostRules
from bulkup.transport.options import TransportOptions
from bulkup.transport.storage import Storage

if TYPE_CHECKING:
    from bulkup.transport.client import Transport

__all__ = ["HostRules", "Storage", "Transport", "TransportOptions"]

# A sending process makes no API calls.
__getattr__ = lazily(__name__, {"bulkup.transport.client": ("Transport",)})
