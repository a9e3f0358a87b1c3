"""A real nginx, in a default and in several difficult configurations: one per test process, on its own ports.

Its sockets are created here and inherited, so there is no race for ports, and early connections wait in their queues.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from scripted_server import authority

STORES = "dav_methods PUT; create_full_put_path on; client_max_body_size 0;"
# Each is a server of its own, with a way to answer a PUT.
VARIANTS: Mapping[str, str] = {
    "plain": STORES,
    "few at once": f"{STORES} limit_conn all 4; limit_conn_status 503;",
    "five requests a connection": f"{STORES} keepalive_requests 5;",
    "short keep-alive": f"{STORES} keepalive_timeout 30ms;",
    "no keep-alive": f"{STORES} keepalive_timeout 0;",
    "small files only": "dav_methods PUT; create_full_put_path on; client_max_body_size 4k;",
    "small files only, then reset": "dav_methods PUT; client_max_body_size 4k; lingering_close off;",
    "refuses": "return 403 no;",
    "refuses, then reset": "return 403 no; lingering_close off;",
    "moved": "return 307 $scheme://127.0.0.1:{plain}$request_uri;",
}
_HTTPS = ("plain", "small files only, then reset", "refuses", "short keep-alive")
# Ends when its standard input does, and so with the tests, however they end.
_WITH_US = 'command=$1; shift; "$command" "$@" & cat > /dev/null; kill $!; wait $!'
_HEAD = """
daemon off; worker_processes 1; {user} pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; server_tokens off; default_type text/plain; root {folder}/objects;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/t1; fastcgi_temp_path {folder}/t2;
  uwsgi_temp_path {folder}/t3; scgi_temp_path {folder}/t4; client_body_buffer_size 16k; keepalive_timeout 60s;
  ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem; ssl_session_cache shared:tls:1m;
  limit_conn_zone $server_port zone=all:1m; add_header X-Connection $connection always;
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx; `stored` is its directory of stored files."""

    folder: Path
    ports: Mapping[tuple[str, str], int]

    def url(self, variant: str, scheme: str = "http") -> str:
        """Return the URL of a configuration. It stores files below that, if it stores any."""
        return f"{scheme}://127.0.0.1:{self.ports[variant, scheme]}"

    def stored(self, path: str) -> bytes:
        return (self.folder / "objects" / path.lstrip("/")).read_bytes()


@functools.cache
def nginx() -> Nginx:
    """Start nginx once per process. If it is not installed, the tests fail instead of being skipped."""
    command = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if command is None:
        pytest.fail("these tests send to a real nginx: install it (apt-get install nginx, or brew install nginx)")
    folder = Path(tempfile.mkdtemp(prefix="bulkup-nginx-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "objects").mkdir()
    certificate = authority().issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "chain.pem", append=number > 0)
    sockets = {(name, "http"): _listening() for name in VARIANTS} | {(name, "https"): _listening() for name in _HTTPS}
    ports = {key: listener.getsockname()[1] for key, listener in sockets.items()}
    (folder / "nginx.conf").write_text(_configuration(folder, ports))
    descriptors = [listener.fileno() for listener in sockets.values()]
    process = subprocess.Popen(
        [
            "/bin/sh",
            "-c",
            _WITH_US,
            "sh",
            command,
            "-p",
            folder,
            "-e",
            folder / "error.log",
            "-c",
            folder / "nginx.conf",
        ],
        env={**os.environ, "NGINX": "".join(f"{descriptor};" for descriptor in descriptors)},
        pass_fds=descriptors,
        stdin=subprocess.PIPE,
    )
    atexit.register(process.communicate)
    for listener in sockets.values():
        listener.close()
    return Nginx(folder, ports)


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=256)


def _configuration(folder: Path, ports: Mapping[tuple[str, str], int]) -> str:
    servers = [
        f"server {{ listen 127.0.0.1:{port}{' ssl' if scheme == 'https' else ''}; "
        f"{VARIANTS[name].replace('{plain}', str(ports['plain', 'http']))} }}\n"
        for (name, scheme), port in ports.items()
    ]
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is its owner's alone
    return _HEAD.format(folder=folder, user=user) + "".join(servers) + "}\n"
