"""Addresses of IP, written in place of a host's name. Pure."""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def literal(host: str) -> Address | None:
    """Return the address that a host is written as, None for a name.

    The system accepts unusual spellings (`127.1`, `0x7f.1`, `2130706433`), so this function does as well.
    """
    text = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text)) if text[:1].isdigit() else None
    except (OSError, ValueError):
        return None
