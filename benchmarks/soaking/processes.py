"""The two processes of a soak test: the embedded server, and one run of the uploader after the other."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

_COMMAND = (sys.executable, "-m", "bulkup")
# Seconds without a change after which the server has finished its requests. A slow small body takes 0.25.
_QUIET = 0.5
_PATIENCE = 60.0
# Below the ports of outgoing connections, one of which could otherwise take the port during a restart.
_PORTS = range(15_000, 30_000)


class Server:
    """`bulkup serve` on one store and one port, across restarts. Use it as a context manager."""

    def __init__(self, store: str, options: list[str], errors: str) -> None:
        self.store = store
        self.errors = errors
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._start(_free_port())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def objects(self) -> str:
        """Return the directory of the objects."""
        return os.path.join(self.store, "objects")

    def restart(self, how: signal.Signals) -> None:
        """End the server with a signal and start it again on the same port."""
        self._end(how)
        self._start(int(self.url.rpartition(":")[2]))

    def figures(self) -> dict[str, int]:
        """Return `/-/stats` and `/-/faults` together, once they have not changed for a while."""
        seen, since = self._read(), time.monotonic()
        while time.monotonic() - since < _QUIET:
            time.sleep(0.05)
            if (now := self._read()) != seen:
                seen, since = now, time.monotonic()
        return seen

    def _read(self) -> dict[str, int]:
        figures: dict[str, int] = {}
        for name in ("stats", "faults"):
            with urllib.request.urlopen(f"{self.url}/-/{name}", timeout=_PATIENCE) as answer:
                figures |= orjson.loads(answer.read())
        return figures

    def _start(self, port: int) -> None:
        command = [*_COMMAND, "serve", "--store", self.store, "--port", str(port), *self._options]
        with open(self.errors, "ab") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {Path(self.errors).read_text()}")
        self.url = str(orjson.loads(line)["url"])

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        try:
            self._process.wait(_PATIENCE)
        finally:
            self._process.kill()
            self._process.communicate()


class UploadRun:
    """One run of `bulkup upload`, with its own process group and output files."""

    def __init__(self, name: str, options: list[str], environ: dict[str, str]) -> None:
        self.out, self.err = f"{name}.out", f"{name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self._process = subprocess.Popen(
                [*_COMMAND, "upload", *options],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._lines = 0
        self._read = 0
        self.pid = self._process.pid

    def settled(self) -> int:
        """Return the number of lines that it has printed: one for each settled file."""
        with open(self.out, "rb") as out:
            out.seek(self._read)
            while block := out.read(1 << 20):
                self._read += len(block)
                self._lines += block.count(b"\n")
        return self._lines

    def ended(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._process.poll()

    def send(self, what: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        if self._process.poll() is None:  # until it is waited for, no other process can have its group id
            os.killpg(self.pid, what)

    def end(self, patience: float) -> int:
        """Wait until it ends, kill it after `patience` seconds, and return the exit code."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self._process.wait()

    def remove_output(self) -> None:
        """Delete its output files."""
        os.remove(self.out)
        os.remove(self.err)


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def run_command(command: list[str], out: str) -> None:
    """Run another command of bulkup, and append its output to a file."""
    with open(out, "ab") as file:
        subprocess.run(
            [*_COMMAND, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
        )
