"""A server that follows a script, byte by byte: one script per connection.

h11 parses the requests. It accepts only what RFC 9112 allows, so it checks the sender's output.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import h11
import trustme

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Request:
    """A request as parsed by h11. Header names are in lower case, and `head` has the received bytes."""

    method: str
    target: str
    headers: dict[str, str]
    head: bytes
    body: bytes


class Connection:
    """The server's side of a connection."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.requests: list[Request] = []
        self.ended = asyncio.Event()  # the sender must send nothing more
        self.reader = reader
        self.writer = writer
        self._judge = h11.Connection(h11.SERVER)
        self._raw = b""
        self._parts = list[bytes]()

    async def head(self) -> Request:
        """Read the head of a request. Raises IncompleteReadError if the connection ends before."""
        self._judge, early = h11.Connection(h11.SERVER), self._judge.trailing_data[0]
        self._raw, self._parts = b"", []
        self._feed(early)
        event = await self._next()
        assert isinstance(event, h11.Request), event
        names = [name.decode() for name, _ in event.headers]
        assert len(set(names)) == len(names), names
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        head = self._raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        self.requests.append(Request(event.method.decode(), event.target.decode(), headers, head, b""))
        return self.requests[-1]

    async def request(self) -> Request:
        """Read a whole request, and answer `Expect: 100-continue`."""
        await self.begun()
        return await self.rest()

    async def begun(self) -> Request:
        """Read the head of a request, and answer `Expect: 100-continue`."""
        request = await self.head()
        if request.headers.get("expect") == "100-continue":
            self.write(GO_ON)
        return request

    async def part(self) -> None:
        """Read some of the body of the current request, if it has one."""
        event = await self._next()
        self._parts += [bytes(event.data)] if isinstance(event, h11.Data) else []

    async def rest(self) -> Request:
        """Read the rest of the body of the current request."""
        request, parts = self.requests[-1], self._parts
        while isinstance(event := await self._next(), h11.Data):
            parts.append(bytes(event.data))
        assert isinstance(event, h11.EndOfMessage), event
        request.body = b"".join(parts)
        return request

    async def answer_all(self) -> None:
        """Answer all requests until the end, each with `echo`."""
        while True:
            self.write(echo(await self.request()))

    def write(self, data: bytes) -> None:
        """Send bytes unchanged, if the connection is open."""
        if self.open:
            self.writer.write(data)

    @property
    def open(self) -> bool:
        """Return whether the connection is open, as far as is known."""
        return not self.writer.is_closing()

    async def read(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        return await self.reader.readexactly(count) if count else b""

    async def until_end(self) -> None:
        """Read until the sender closes the connection."""
        while await self.reader.read(1 << 16):
            pass
        self.ended.set()

    def stop_reading(self) -> None:
        """Leave later bytes in the system's buffers."""
        cast("asyncio.ReadTransport", self.writer.transport).pause_reading()  # not so by its class under uvloop

    def half_close(self) -> None:
        """Send the end of the stream, and continue to read."""
        self.writer.write_eof()

    def close(self) -> None:
        """Close the connection. The system sends a reset if unread bytes are left."""
        self.writer.close()

    def reset(self) -> None:
        """Reset the connection."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def tear(self, *, reset: bool) -> None:
        """End the TCP connection without a TLS close_notify."""
        raw = self.writer.get_extra_info("socket")
        if reset:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with socket.socket(fileno=os.dup(raw.fileno())) as beneath:
                beneath.shutdown(socket.SHUT_WR)
        self.writer.transport.abort()

    @property
    def tls(self) -> ssl.SSLObject:
        """Return the server's TLS object."""
        found = self.writer.get_extra_info("ssl_object")
        assert isinstance(found, ssl.SSLObject)
        return found

    async def _next(self) -> Any:
        while (event := self._judge.next_event()) is h11.NEED_DATA:
            data = await self.reader.read(1 << 18)
            if not data:
                raise asyncio.IncompleteReadError(b"", None)
            self._feed(data)
        return event

    def _feed(self, data: bytes) -> None:
        if data:
            self._raw += data if b"\r\n\r\n" not in self._raw else b""
            self._judge.receive_data(data)


Script = Callable[[Connection], Awaitable[None]]


def echo(request: Request, status: str = "200 OK") -> bytes:
    """Return an answer with the request's target and the MD5 of its body."""
    path, md5 = request.target.partition("?")[0], hashlib.md5(request.body).hexdigest()
    return f'HTTP/1.1 {status}\r\nX-Target: {path}\r\nETag: "{md5}"\r\nContent-Length: 0\r\n\r\n'.encode()


@dataclass
class Server:
    """A server that follows `scripts`, one per connection. Later connections are answered normally."""

    scripts: list[Script]
    scheme: str = "http"
    port: int = 0
    connections: list[Connection] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/k"

    @property
    def requests(self) -> list[Request]:
        """Return the requests of all connections, in their order."""
        return [request for connection in self.connections for request in connection.requests]

    async def follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(len(self.connections), reader, writer)
        self.connections.append(connection)
        self.came.set()
        try:
            await (self.scripts.pop(0) if self.scripts else Connection.answer_all)(connection)
        except (asyncio.IncompleteReadError, OSError):
            connection.ended.set()
        except Exception as error:  # noqa: BLE001 - reported at the end
            self.errors.append(error)
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def serving(*scripts: Script, tls: ssl.SSLContext | None = None, tiny: bool = False) -> AsyncIterator[Server]:
    """Serve until the end, then raise the errors of h11 and of scripts. `tiny` means small socket buffers."""
    server, tasks = Server(list(scripts), "https" if tls else "http"), set[asyncio.Task[None]]()
    writers = list[asyncio.StreamWriter]()

    def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.add(asyncio.get_running_loop().create_task(server.follow(reader, writer), name="script"))

    port = socket.socket()
    if tiny:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port.bind(("127.0.0.1", 0))
    listener = await asyncio.start_server(keep, sock=port, ssl=tls)
    server.port = port.getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await settled()
    assert not server.errors, server.errors


@functools.cache
def authority() -> trustme.CA:
    """Return a certificate authority that the system does not trust."""
    return trustme.CA()


def certified(*names: str) -> ssl.SSLContext:
    """Return the server's TLS context, with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(*names or ("127.0.0.1",)).configure_cert(context)
    return context


def ca_file(folder: Path) -> str:
    """Write the authority to a file, and return its path."""
    path = folder / "ca.pem"
    authority().cert_pem.write_to_path(path)
    return str(path)


async def settled() -> None:
    """Let the event loop close transports and end tasks."""
    for _ in range(5):
        await asyncio.sleep(0)
