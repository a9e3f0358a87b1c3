"""Finding a port and listening on it."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import ssl
from collections.abc import Sequence

from aiohttp import web

from bulkup.errors import MachineError, UsageError
from bulkup.localserver.server_config import ServerConfig

_log = logging.getLogger(__name__)


async def listen(runner: web.AppRunner, config: ServerConfig, last_port: int, tls: ssl.SSLContext | None) -> str:
    """Listen as the configuration says and return the server's URL, without a slash at its end.

    `last_port` (0: none) is tried first where the configuration prefers it and names no port. Raises MachineError for a
    port that cannot be had and UsageError for a host that is none.
    """
    if config.prefer_last_port and not config.port and last_port:
        try:
            return await _bind(runner, config.host, last_port, tls)
        except MachineError:
            pass  # somebody else has it by now: any port will do
    return await _bind(runner, config.host, config.port, tls)


async def _bind(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> str:
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except socket.gaierror as error:
        raise UsageError(f"there is no host {host} on this machine") from error
    except OSError as error:
        reason = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise MachineError(f"cannot listen on {host}, port {port}: {reason}") from error
    _warn_of_others([str(address[0]) for address in runner.addresses])
    bound = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{bound}"


def _warn_of_others(addresses: Sequence[str]) -> None:
    """Warn where others than this machine can reach the server, whose default credentials are no secret."""
    reached = [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
    if reached:
        _log.warning(
            "other machines can reach this server at %s: give it credentials of its own, and --tls", ", ".join(reached)
        )
