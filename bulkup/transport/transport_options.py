"""The options of the transport."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.transport.destination.host_rules import HostRules
from bulkup.transport.progress_timeout import ProgressTimeout


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How to connect. Times are in seconds, sizes in bytes.

    `idle_timeout` limits the time without progress; the time of a whole upload has no limit. Up to `buffered` bytes may
    stand in buffers on the way to the server. They extend the timeout as if the server read `slowest` bytes a second.
    At most `connections` requests run at once. Up to `idle_connections` more stay open for later requests, to all hosts
    together; before another one is opened, the one least recently used is closed. `hosts` restricts where bytes may go.
    `sender` selects the HTTP client for storage. An API answer may have `api_answer_limit` bytes, and
    `api_answer_per_url` for each upload URL that was asked for. With sendfile, a thread reports progress every
    `sendfile_step` bytes.
    """

    connections: int
    connect_timeout: float = 30.0
    idle_timeout: float = 60.0
    ca_file: str | None = None
    hosts: HostRules = field(default_factory=HostRules)
    sender: Literal["lean", "aiohttp"] = "lean"
    buffered: int = 8 * 1024**2
    slowest: int = 64 * 1024
    api_answer_limit: int = 256 * 1024
    api_answer_per_url: int = 12 * 1024
    sendfile_step: int = 4 * 1024**2
    idle_connections: int = 256

    @property
    def progress_timeout(self) -> ProgressTimeout:
        """The timeout of request bodies."""
        return ProgressTimeout(self.idle_timeout, self.buffered, self.slowest)
