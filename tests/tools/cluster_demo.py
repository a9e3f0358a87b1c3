"""`make cluster-demo`: a scheduler and three workers as processes, an upload with kills, and the proof of every object.

One worker is killed on the way, and later the coordinator, which is started again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

TOKEN = "cluster-demo-token"
_BULKUP = [sys.executable, "-m", "bulkup"]
_DASK = [sys.executable, "-m", "dask"]
_PATIENCE = 600.0  # seconds


class DemoError(Exception):
    """The demo has not proved what it should."""


def content(number: int) -> bytes:
    """Return the bytes of a file: no two are equal."""
    return f"file {number}\n".encode() * (20 + number % 150)


def write_tree(root: Path, count: int) -> None:
    """Write the source."""
    for number in range(count):
        path = root / name_of(number)
        if number % 500 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(number))


def name_of(number: int) -> str:
    """Return the path of a file in the source."""
    return f"{number // 500:03}/{number:06}.mp4"


class Processes:
    """Programs that run beside one another; all are ended at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], **environ: str) -> subprocess.Popen[bytes]:
        """Start a program whose output goes to a file of its own."""
        with open(self._folder / f"{name}.out", "ab") as out, open(self._folder / f"{name}.err", "ab") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **environ})
        self._all[name] = process
        return process

    def kill(self, name: str) -> None:
        """Kill a program."""
        self._all[name].send_signal(signal.SIGKILL)
        self._all[name].wait()

    def end(self) -> None:
        """End all programs."""
        for process in self._all.values():
            if process.poll() is None:
                process.kill()
            process.wait()

    def output(self, name: str) -> str:
        """Return what a program has printed on standard output."""
        return (self._folder / f"{name}.out").read_text()


@contextlib.contextmanager
def demo_cluster(folder: Path, workers: int, *server: str) -> Iterator[tuple[Processes, str, str]]:
    """Start a server, a scheduler and workers. Yield the processes, the server's URL and the scheduler's address."""
    processes = Processes(folder)
    try:
        store = str(folder / "store")
        processes.start("server", [*_BULKUP, "serve", "--port", "0", "--store", store, "--token", TOKEN, *server])
        file = folder / "scheduler.json"
        where = ["--scheduler-file", str(file)]
        scheduler = [*_DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *where]
        processes.start("scheduler", scheduler)
        wait_for(lambda: file.exists() and "\n" in processes.output("server"), "the scheduler and the server")
        for number in range(workers):
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", f"worker-{number}"]
            processes.start(f"worker-{number}", [*_DASK, "worker", *where, *options])
        yield processes, json.loads(processes.output("server"))["url"], json.loads(file.read_text())["address"]
    finally:
        processes.end()


def wait_for(holds: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Wait until a condition holds. Raises `DemoError` if it does not in time."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise DemoError(f"timed out: {what}")
        time.sleep(0.05)


def stats(url: str) -> Mapping[str, int]:
    """Return the server's figures."""
    with urllib.request.urlopen(f"{url}/-/stats") as answer:
        figures: Mapping[str, int] = json.load(answer)
        return figures


def upload_command(folder: Path, url: str, scheduler: str) -> list[str]:
    """Return the command of the coordinator."""
    journal = str(folder / "journal.sqlite3")
    settings = ["--provider", "magic-hour", "--base-url", url, "--journal", journal, "--concurrency", "16"]
    return [*_BULKUP, "upload", *settings, "--cluster", scheduler, "--json", str(folder / "source")]


def prove(folder: Path, count: int) -> None:
    """Compare every row of the journal and every object with the source. Raises `DemoError`."""
    command = [*_BULKUP, "manifest", "--format", "jsonl", "--journal", str(folder / "journal.sqlite3")]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    paths = sorted(row["path"] for row in rows)
    if paths != [name_of(number) for number in range(count)]:
        raise DemoError(f"the journal has {len(paths)} rows of {len(set(paths))} files, and {count} were expected")
    for row in rows:
        data = content(int(Path(row["path"]).stem))
        stored = folder / "store" / "objects" / row["remote"]["file_path"]
        if row["status"] != "uploaded" or stored.read_bytes() != data:
            raise DemoError(f"{row['path']} is {row['status']}, or its object differs")
    if len({row["remote_id"] for row in rows}) != count:
        raise DemoError("two files have one id")


def run_demo(folder: Path, files: int, say: Callable[[str], None] = print) -> Mapping[str, int]:
    """Carry the demo out, and return the figures of the server at its end. Raises `DemoError`."""
    write_tree(folder / "source", files)
    with demo_cluster(folder, 3) as (processes, url, scheduler):
        command = upload_command(folder, url, scheduler)
        say(f"uploading {files:,} files with three workers, through the scheduler at {scheduler}")
        first = processes.start("upload", command, BULKUP_TOKEN=TOKEN)
        wait_for(lambda: stats(url)["puts_completed"] > files * 3 // 10 or first.poll() is not None, "a third")
        processes.kill("worker-1")
        say(f"killed worker-1 after {stats(url)['puts_completed']:,} files")
        wait_for(lambda: stats(url)["puts_completed"] > files * 6 // 10 or first.poll() is not None, "two thirds")
        processes.kill("upload")
        say(f"killed the coordinator after {stats(url)['puts_completed']:,} files, and started it again")
        second = processes.start("upload", command, BULKUP_TOKEN=TOKEN)
        wait_for(lambda: second.poll() is not None, "the end of the second run")
        if second.returncode:
            raise DemoError(f"the second run ended with exit code {second.returncode}; see {folder}/upload.err")
        prove(folder, files)
        figures = stats(url)
        again = figures["puts_completed"] - files
        say(f"proved {files:,} objects; {again} were sent twice by the two kills")
        if again > 4 * 16 + 16:
            raise DemoError("more files were sent twice than were in flight")
        return figures


def main() -> int:
    """Run the demo in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory(prefix="bulkup-cluster-") as folder:
        try:
            run_demo(Path(folder), files)
        except DemoError as error:
            print(f"failed: {error}")
            for name in ("upload.err", "worker-0.err", "scheduler.err"):
                print((Path(folder) / name).read_text()[-3000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
