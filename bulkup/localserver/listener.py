"""Binds the server to its host and port."""

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
    """Listen on the configured host and port, and return the server's URL without a slash at the end.

    With `prefer_last_port` and no configured port, `last_port` is tried first (0: none). Raises MachineError if the
    port cannot be used, and UsageError if the host does not exist on this machine.
    """
    if config.prefer_last_port and not config.port and last_port:
        try:
            return await _bind(runner, config.host, last_port, tls)
        except MachineError:
            pass  # in use by another program; any free port will do
    return await _bind(runner, config.host, config.port, tls)


async def _bind(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> str:
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except socket.gaierror as error:
        raise UsageError(f"there is no host {host} on this machine") from error
    except OSError as error:
        reason = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
        raise MachineError(f"cannot listen on {host}, port {port}: {reason}") from error
    _warn_if_reachable([str(address[0]) for address in runner.addresses])
    bound = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{bound}"


def _warn_if_reachable(addresses: Sequence[str]) -> None:
    """Warn if other machines can reach the server, because its default credentials are public."""
    reachable = [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
    if reachable:
        _log.warning(
            "other machines can reach this server at %s: set your own credentials, and --tls", ", ".join(reachable)
        )
