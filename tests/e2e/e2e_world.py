"""Helpers of the end-to-end tests: the installed command as a process, servers, and the check of every file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bulkup.errors import JournalError
from bulkup.journal import Reader

COMMAND = (sys.executable, "-m", "bulkup")
TIMEOUT = 120.0
TOKEN = {"BULKUP_TOKEN": "local-token"}
API_KEY = {"BULKUP_API_KEY": "local-api-key-0001"}
MEDIA = ("mp4", "jpg", "png", "wav", "mov", "mp3")


@dataclass(frozen=True)
class Ended:
    """A command that has ended, with its exit code and output."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return standard output as JSON lines. Anything else there is an error."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """Return the last line, which must be the summary."""
        last = self.lines[-1]
        assert last["event"] == "summary", self
        return last

    def expect(self, code: int, *said: str) -> Ended:
        """Assert the exit code, the texts on standard error, and that there is no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.out + self.err, self
        for text in said:
            assert text in self.err, self
        return self


class World:
    """The directory of one test: `source` to upload, a `journal` and a `store` beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "source"
        self.store = root / "store"
        self.journal = root / "journal.sqlite3"
        self.source.mkdir()

    @property
    def local(self) -> list[str]:
        """Return the options that upload to an embedded server started for the run."""
        return ["--provider", "local", "--store", str(self.store), "--journal", str(self.journal)]

    def to(self, url: str, provider: str = "magic-hour") -> list[str]:
        """Return the options that upload to a server at `url`."""
        return ["--provider", provider, "--base-url", url, "--journal", str(self.journal)]

    def fill(
        self,
        files: int,
        *,
        seed: int = 1,
        least: int = 0,
        largest: int = 20_000,
        extensions: tuple[str, ...] = MEDIA,
    ) -> None:
        """Make files in a few folders, some of them of the least size. The same seed makes the same files."""
        chance = random.Random(seed)
        for number in range(files):
            folder = self.source / f"folder {number % 7}" / f"ünter#{number % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            size = least + chance.choice((0, 1, 100, 5_000, largest))
            (folder / f"file {number}.{chance.choice(extensions)}").write_bytes(chance.randbytes(size))

    def upload(self, *options: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> Ended:
        """Upload the source with `--json`."""
        return run("upload", str(self.source), "--json", *options, env=env, **kwargs)

    def manifest(self) -> list[dict[str, Any]]:
        """Return the manifest, as the command prints it."""
        unmeasured = {"UNMEASURED_COMMAND": "manifest"}  # nearly every test runs it, but only to check the files
        return run("manifest", "--journal", str(self.journal), env=unmeasured).expect(0).lines

    def settled(self) -> int:
        """Return how many files the journal holds as uploaded."""
        with contextlib.suppress(JournalError), Reader(str(self.journal)) as reader:
            return sum(count for state, count in reader.status().files.items() if state in ("uploaded", "unverified"))
        return 0  # no run has begun

    def verify(self, object_of: Callable[[dict[str, Any]], str] = lambda row: str(row["remote_id"])) -> int:
        """Assert that each file is in the manifest once, and equals its row and its object. Return their number."""
        found = {str(path.relative_to(self.source)) for path in self.source.rglob("*") if path.is_file()}
        rows = self.manifest()
        assert len(rows) == len(found)
        assert {row["path"] for row in rows} == found
        objects = set()
        for row in rows:
            assert row["status"] == "uploaded", row
            stored = self.store / "objects" / object_of(row)
            objects.add(stored)
            assert md5(self.source / row["path"]) == row["md5"] == md5(stored), row
        assert len(objects) == len(rows)
        return len(rows)


def md5(path: Path) -> str:
    """Return the MD5 of a file, in hex."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command: the test's own, with Python's warnings as errors.

    Coverage is not measured in servers: other tests run their code, and a server starts twice as fast without it.
    """
    return {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "200", "UNMEASURED_COMMAND": "serve", **(env or {})}


def run(*arguments: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> Ended:
    """Run a command and wait for it."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(env),
        stdin=kwargs.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
        **kwargs,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))


@contextlib.contextmanager
def started(*arguments: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command, and kill it at the end of the context."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        **kwargs,
    }
    with subprocess.Popen([*COMMAND, *arguments], env=environment(env), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> Ended:
    """Wait for a started command."""
    out, err = process.communicate(timeout=TIMEOUT)
    return Ended(process.returncode, out.decode(), err.decode("utf-8", "replace"))


@contextlib.contextmanager
def serving(store: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `bulkup serve` and return its URL."""
    with started("serve", "--store", str(store), *options, env=env) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline() or "null")
        assert line is not None, ended(process)
        yield str(line["url"])


def puts(url: str) -> int:
    """Return how many PUTs a server has completed, once that number has stopped changing."""
    seen = [-3, -2, -1]
    while len(set(seen)) > 1:
        time.sleep(0.05)
        with urllib.request.urlopen(f"{url}/-/stats") as answer:
            seen = [*seen[1:], json.load(answer)["puts_completed"]]
    return seen[-1]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, or fail after TIMEOUT seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Status, headers and body; the status may have a reason.
Answer = tuple[int | tuple[int, str], Mapping[str, str], bytes]


@contextlib.contextmanager
def answering(answer: Callable[[str, bytes], Answer], listen: str = "127.0.0.1") -> Iterator[str]:
    """Run a server that answers each request with `answer(path, body)`, and return its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, content = answer(self.path, body)
            self.send_response(*(status if isinstance(status, tuple) else (status,)))
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET = _handle  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((listen, 0), Handler)
    server.daemon_threads = True  # they wait for further requests on idle connections
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
