"""A store that costs next to nothing, in a process of its own: what is measured is the client.

It speaks just enough HTTP/1.1 for a well-behaved client on loopback: it hands out upload URLs like Magic Hour, swallows
PUTs and answers with the MD5 of what came as ETag. Nothing is kept, nothing is checked; tests use the embedded server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import orjson

LIFETIME = 3600


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            start, length = end + 4, _content_length(head)
            if len(self._buffer) < start + length:
                return
            body = bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"PUT"):
            etag = hashlib.md5(body).hexdigest()
            self._transport.write(f'HTTP/1.1 200 OK\r\nETag: "{etag}"\r\nContent-Length: 0\r\n\r\n'.encode())
            return
        answer = orjson.dumps({"items": [self._item(item) for item in orjson.loads(body)["items"]]})
        head_text = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
        self._transport.write(head_text.encode() + answer)

    def _item(self, item: dict[str, str]) -> dict[str, str]:
        name = f"api-assets/{time.perf_counter_ns():x}{id(item):x}/file.{item['extension']}"
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFETIME))
        query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
        return {"upload_url": f"{self._root}/{name}?{query}", "expires_at": expires, "file_path": name}


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve(told: Connection) -> None:
    loop = asyncio.get_running_loop()
    root: list[str] = [""]
    server = await loop.create_server(lambda: Sink(root[0]), "127.0.0.1", 0)
    root[0] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    told.send(root[0])
    await asyncio.Event().wait()


def _run(told: Connection) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(told))


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """Start a sink and yield its root URL."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
