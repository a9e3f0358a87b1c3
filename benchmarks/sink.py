"""A server that costs almost nothing, so that only the client is measured: Magic Hour's API and a store.

It speaks just enough HTTP/1.1 for a correct client. The API returns upload URLs of this store or of another one. The
store reads PUTs and answers with the MD5 of the body as ETag. It keeps and checks nothing. Tests use the embedded
server instead.

    python -m benchmarks.sink [--bind ADDRESS] [--store URL] [--certificate PEM]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import orjson

LIFETIME = 3600
_PER_FOLDER = 500
_QUERY = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=0"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, store: str, numbers: Iterator[int]) -> None:
        self._store = store
        self._numbers = numbers
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
        number = next(self._numbers)
        name = f"api-assets/{number // _PER_FOLDER:04d}/{number:07d}.{item['extension']}"
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFETIME))
        return {"upload_url": f"{self._store}/{name}?{_QUERY}", "expires_at": expires, "file_path": name}


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve(bind: str, store: str, certificate: str) -> None:
    loop = asyncio.get_running_loop()
    numbers = itertools.count()
    place = [store]
    server = await loop.create_server(lambda: Sink(place[0], numbers), bind, 0, ssl=_context(certificate), backlog=4096)
    root = f"{'https' if certificate else 'http'}://{bind}:{server.sockets[0].getsockname()[1]}"
    place[0] = store or root
    print(root, flush=True)
    await asyncio.Event().wait()


def _context(certificate: str) -> ssl.SSLContext | None:
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@contextlib.contextmanager
def sink(bind: str = "127.0.0.1", store: str = "", certificate: str = "", inside: Sequence[str] = ()) -> Iterator[str]:
    """Start a sink and yield its root URL. `inside` is a command that starts it, such as `ip netns exec NAME`."""
    command = [*inside, sys.executable, "-m", "benchmarks.sink", "--bind", bind]
    command += ["--store", store, "--certificate", certificate]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Serve until a signal arrives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--store", default="", help="where upload URLs lead; default: here")
    parser.add_argument("--certificate", default="", help="certificate and key as PEM: speak HTTPS")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments.bind, arguments.store, arguments.certificate))


if __name__ == "__main__":
    main()
