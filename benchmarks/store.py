"""The store that all clients send to: nginx, which accepts PUTs over HTTP and HTTPS and keeps the files in memory.

It answers uploads as S3 does: with the true MD5 as ETag, and for multipart uploads. It does not compute the MD5,
because a real store does not use the cores of the client either. Instead, a tree has one content per size, so the size
identifies the MD5 (`trees.make_known_tree`). The store checks no signature, ignores headers and queries of S3 that it
does not know, and keeps parts as separate files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import trustme

BUCKET = "bench"
_NAMES = f"<Bucket>{BUCKET}</Bucket><Key>key</Key>"
_BEGUN = f"<InitiateMultipartUploadResult>{_NAMES}<UploadId>u1</UploadId></InitiateMultipartUploadResult>"
_UNKNOWN = "00000000000000000000000000000000-1"  # an ETag that is no MD5, as those of multipart uploads in S3
_COMPLETED = f"<CompleteMultipartUploadResult>{_NAMES}<ETag>{_UNKNOWN}</ETag></CompleteMultipartUploadResult>"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store listens and keeps its files: the ports of HTTP and HTTPS, and the folders."""

    host: str
    http: int
    https: int
    folder: str
    root: str

    @property
    def ca(self) -> str:
        """The certificate that verifies the store, as a PEM file."""
        return os.path.join(self.folder, "ca.pem")

    def url(self, scheme: str) -> str:
        """Return the root URL of the store."""
        return f"{scheme}://{self.host}:{self.https if scheme == 'https' else self.http}"


def configuration(place: Place, digests: Mapping[int, str], workers: int) -> str:
    """Return nginx's configuration for a store that answers a body of a given size with the digest of that size."""
    known = "\n".join(f'    {size} "\\"{digest}\\"";' for size, digest in sorted(digests.items()))
    return f"""\
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {place.folder}/nginx.pid;
error_log {place.folder}/error.log error;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  etag off;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  client_header_buffer_size 4k;
  large_client_header_buffers 8 32k;
  client_body_temp_path {place.root}.tmp;
  fastcgi_temp_path {place.folder}/fastcgi;
  proxy_temp_path {place.folder}/proxy;
  scgi_temp_path {place.folder}/scgi;
  uwsgi_temp_path {place.folder}/uwsgi;
  map_hash_max_size 65536;
  map_hash_bucket_size 128;
  map $http_content_length $etag {{
    default "\\"{_UNKNOWN}\\"";
{known}
  }}
  map $args $multipart {{ ~^uploads "{_BEGUN}"; ~uploadId= "{_COMPLETED}"; }}
  server {{
    listen {place.host}:{place.http} backlog=4096;
    listen {place.host}:{place.https} ssl backlog=4096;
    ssl_certificate {place.folder}/server.pem;
    ssl_certificate_key {place.folder}/server.pem;
    ssl_session_cache shared:sessions:10m;
    ssl_protocols TLSv1.2 TLSv1.3;
    root {place.root};
    default_type application/xml;
    dav_methods PUT;
    create_full_put_path on;
    add_header ETag $etag always;
    if ($request_method = POST) {{ return 200 $multipart; }}
    if ($arg_partNumber) {{ rewrite ^ $uri.part$arg_partNumber break; }}
  }}
}}
"""


class Store:
    """A running nginx. `inside` is a command that starts the others, such as `ip netns exec NAME`."""

    def __init__(self, place: Place, inside: Sequence[str] = ()) -> None:
        self.place = place
        self.inside = list(inside)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, digests: Mapping[int, str]) -> None:
        """Start nginx and wait until it listens. Raises RuntimeError with its output if it does not."""
        for folder in (self.place.folder, self.place.root, f"{self.place.root}.tmp"):
            os.makedirs(folder, exist_ok=True)
        _make_certificates(self.place)
        path = os.path.join(self.place.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(configuration(self.place, digests, max(1, (os.cpu_count() or 2) // 2)))
        command = [*self.inside, _nginx(), "-e", f"{self.place.folder}/start.log", "-c", path, "-g", "daemon off;"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        pid = os.path.join(self.place.folder, "nginx.pid")
        for _ in range(200):
            if self._process.poll() is not None:
                assert self._process.stderr is not None
                raise RuntimeError(f"nginx ended: {self._process.stderr.read().decode(errors='replace')}")
            if os.path.exists(pid) and os.path.getsize(pid):
                return
            time.sleep(0.05)
        raise RuntimeError("nginx does not start")

    def stop(self) -> None:
        """Stop nginx and remove its files."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._process = None
        for folder in (self.place.root, f"{self.place.root}.tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def wipe(self) -> None:
        """Remove all stored files."""
        for entry in os.scandir(self.place.root):
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)

    def kept(self) -> tuple[int, int]:
        """Return the number of stored files, and their bytes."""
        sizes = [os.stat(os.path.join(at, name)).st_size for at, _, names in os.walk(self.place.root) for name in names]
        return len(sizes), sum(sizes)

    def cpu(self) -> float:
        """Return the CPU seconds that its workers have used so far."""
        assert self._process is not None
        return sum(_cpu_of(pid) for pid in _children(self._process.pid))


@contextlib.contextmanager
def store(place: Place, digests: Mapping[int, str], inside: Sequence[str] = ()) -> Iterator[Store]:
    """Run a store during the block."""
    running = Store(place, inside)
    try:
        running.start(digests)
        yield running
    finally:
        running.stop()


def _nginx() -> str:
    return shutil.which("nginx") or "/usr/sbin/nginx"


def _make_certificates(place: Place) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place.ca)
    issued = authority.issue_cert(place.host, "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(os.path.join(place.folder, "server.pem"))


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def _cpu_of(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
