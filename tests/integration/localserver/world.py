"""Shared by the embedded server's tests: a clock, credentials, and functions on a server and its store."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from bulkup.localserver import FaultOptions, FaultSpec, LocalServer
from bulkup.localserver.signing_types import SigningKey

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
BEARER = {"Authorization": "Bearer local-token"}
API_KEY = {"Authorization": "local-api-key-0001"}
LOCAL_PATH = "/local/v1/tickets"
MAGIC_HOUR_PATH = "/v1/files/upload-urls"
MOVE_PATH = "/ugc/graphql"
HANG = 20.0  # seconds after which a test fails that would otherwise hang


class FakeClock:
    """A clock that stands still. Tests move it by `offset`, in seconds."""

    def __init__(self, start: float = NOW) -> None:
        self._start = start
        self.offset = 0.0

    def now(self) -> float:
        return self._start + self.offset

    def monotonic(self) -> float:
        return self.offset


def set_faults(server: LocalServer, *texts: str, seed: int = 0, options: FaultOptions | None = None) -> None:
    server.set_faults([FaultSpec.parse(text) for text in texts], seed, options)


def signing_key(server: LocalServer) -> SigningKey:
    """Return the key that the server signs with, from the file in its store."""
    return SigningKey(**orjson.loads((state_folder(server) / "keys.json").read_bytes()))


def state_folder(server: LocalServer) -> Path:
    return Path(server.objects_dir).parent / "state"


def stored_paths(server: LocalServer) -> list[str]:
    """Return the paths of all objects."""
    return [os.path.join(folder, name) for folder, _, names in os.walk(server.objects_dir) for name in names]


def unfinished(server: LocalServer) -> list[str]:
    """Return the names of unfinished objects."""
    return os.listdir(state_folder(server) / "incoming")


async def local_tickets(server: LocalServer, http: aiohttp.ClientSession, count: int = 1) -> list[dict[str, Any]]:
    """Return new tickets of the local API. Their URLs have signatures of version 4."""
    body = {"files": [{"extension": "bin", "size": 1}] * count}
    async with http.post(server.url + LOCAL_PATH, json=body, headers=BEARER) as answer:
        tickets: list[dict[str, Any]] = (await answer.json())["tickets"]
        return tickets


async def exchange(server: LocalServer, *parts: bytes) -> bytes:
    """Send bytes over a new connection, and return all bytes that arrive until the server closes it."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for part in parts:
            writer.write(part)
        async with asyncio.timeout(HANG):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def exchange_blocking(server: LocalServer, request: bytes) -> bytes:
    """Do the same without an event loop."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=HANG) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def request_head(method: str, url: str, *lines: str) -> bytes:
    """Return the first lines of a request after which the server closes the connection."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    first = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    return "\r\n".join([*first, *lines, "", ""]).encode()
