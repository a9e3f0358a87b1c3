"""How a run connects, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bulkup.transport.destination.host_rules import HostRules


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How to connect. Times in seconds; `idle_timeout` is without any progress, there is no limit on the whole of a
    large file.

    What is buffered on the way, 8 MiB at most, is granted its time at 64 KiB/s on top. `hosts` says where bytes may go.
    `sender` is what carries them to storage.
    """

    connections: int
    connect_timeout: float = 30.0
    idle_timeout: float = 60.0
    ca_file: str | None = None
    hosts: HostRules = field(default_factory=HostRules)
    sender: Literal["lean", "aiohttp"] = "lean"
