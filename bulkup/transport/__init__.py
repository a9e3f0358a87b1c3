"""HTTP: API calls and bytes to storage, over connections that share nothing.

Here belongs all that touches the aiohttp client: connections, TLS, proxies, timeouts, redirects, and turning its errors
into `ProblemError` once. Not here: what an answer means (providers) and what to do about it (pipeline).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes
from bulkup.transport.destination.host_rules import HostRules
from bulkup.transport.storage import Storage
from bulkup.transport.transport_options import TransportOptions

if TYPE_CHECKING:
    from bulkup.transport.client import Transport

__all__ = ["HostRules", "Storage", "Transport", "TransportOptions"]

# A sending process makes no API calls.
__getattr__ = lazy_attributes(__name__, {"bulkup.transport.client": ("Transport",)})
