"""HTTP: calls to the service's API, and bytes to storage. The two share no connection, cookie or credential.

    client             API calls over aiohttp, and the storage of a run
    storage            sends a file as its ticket says, through a sender
    sender             the interface of a sender
    lean, by_aiohttp   the two senders
    destination        where bytes may go: host rules, resolvers, redirects
    bounded_body       the body of an API answer, decoded and bounded
    form_body          a file as the last field of a form
    throttled_body     a body that is sent no faster than a limit allows
    headers            checks headers
    failures           the problem for each kind of failure
    tls_failures       the cause of a failed TLS connection
    front_answers      answers of a web server that did not pass a request on
    progress_timeout   how long a body may show no progress
    proxies, tls       proxies of the environment, verification of certificates
    rate_limit         wraps API calls to limit their rate
    timed_calls        wraps API calls to measure them
    clock_skew         wraps API calls to compare the service's clock with this machine's
    reachability       one connection to see whether a server can be reached, for `bulkup doctor`
    transport_options  the options

The only use of the aiohttp client belongs here, and every socket of a run. The meaning of an answer belongs to
`bulkup.providers`, and the reaction to it to `bulkup.pipeline`.
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
