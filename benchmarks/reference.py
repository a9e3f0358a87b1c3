"""A reference for large files: MD5 in threads and `sendfile` over plain sockets, without an API, a journal or retries.

Each of CONCURRENCY threads has a connection. It sends one file after the other while another thread hashes the same
file. An ETag that is a plain MD5 must be that of the file. The program prints the seconds for all files.

    python -m benchmarks.reference ROOT DIR CONCURRENCY
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from urllib.parse import urlsplit

_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")


class Paths:
    """The paths of all files below a folder. Each is returned once, to any thread."""

    def __init__(self, folder: str) -> None:
        self._paths = iter([os.path.join(at, name) for at, _, names in os.walk(folder) for name in names])
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._lock:
            return next(self._paths)


def send_all(root: str, paths: Paths, hashers: ThreadPoolExecutor) -> None:
    """Send files over one connection until none is left. Raises AssertionError for an unexpected answer."""
    url = urlsplit(root)
    with socket.create_connection((url.hostname, url.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path in paths:
            digest = hashers.submit(_md5_of, path)
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                target = f"{url.path}/{os.path.basename(path)}"
                head = f"PUT {target} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {size}\r\n\r\n"
                connection.sendall(head.encode("ascii"))
                assert connection.sendfile(file) == size
            _check(connection, digest.result())


def _check(connection: socket.socket, digest: str) -> None:
    answer = HTTPResponse(connection, method="PUT")
    answer.begin()
    answer.read()
    assert answer.status in (200, 201, 204), answer.status
    etag = answer.headers.get("ETag", "").strip('"')
    assert not _PLAIN_MD5.fullmatch(etag) or etag == digest, "the store holds other bytes"


def _md5_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def run(root: str, folder: str, concurrency: int) -> float:
    """Return the seconds for all files of `folder`."""
    paths = Paths(folder)
    with ThreadPoolExecutor(concurrency) as senders, ThreadPoolExecutor(concurrency) as hashers:
        started = time.perf_counter()
        for sender in [senders.submit(send_all, root, paths, hashers) for _ in range(concurrency)]:
            sender.result()
        return time.perf_counter() - started


if __name__ == "__main__":
    print(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
