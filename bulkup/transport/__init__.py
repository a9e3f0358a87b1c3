"""HTTP: calls to the service's API, and bytes to storage. The two share no connection, cookie or credential.

Connections, TLS, proxies, timeouts and redirects belong here, and the only use of the aiohttp client. Errors of the
network become `ProblemError` here. The meaning of an answer belongs to `providers`, and the reaction to it to
`pipeline`.
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

# A sending process makes no API calls, so it does not import the client.
__getattr__ = lazy_attributes(__name__, {"bulkup.transport.client": ("Transport",)})
