"""HTTP: API calls and bytes to storage, over two sessions that share nothing.

Here belongs all that touches the aiohttp client: connections, TLS, proxies, timeouts, redirects, and turning its errors
into `ProblemError` once. Not here: what an answer means (providers) and what to do about it (pipeline).
"""

from __future__ import annotations

from bulkup.transport.client import Transport
from bulkup.transport.hosts import HostRules
from bulkup.transport.options import TransportOptions

__all__ = ["HostRules", "Transport", "TransportOptions"]
