"""`bulkup demo`: the whole promise in under a minute. A tree goes up, the run is killed, goes on, and all is proven."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import anyio
import orjson
import typer

from bulkup.cli.demo_tree import make_tree
from bulkup.cli.demo_verification import files_below, verify_demo
from bulkup.config.paths import inside_any
from bulkup.errors import ExitCode, MachineError, UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader
from bulkup.localserver import ServerConfig, ServerProcess
from bulkup.model.http import ApiRequest
from bulkup.model.journal_rows import JournalStatus
from bulkup.model.states import DONE
from bulkup.reports.formatting import count_text, duration_text, size_text
from bulkup.reports.safe_text import printable
from bulkup.transport import Transport, TransportOptions

_TREE_NEEDS = 1 << 30  # bytes on disk: the tree, its copy in the store, and room to spare
_SHOWN_FAULTS = 10

Directory = Annotated[
    str | None,
    typer.Argument(metavar="[DIR]", exists=True, file_okay=False, help="Use this tree; it is only read."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the demonstration's files, and say where they are.")]


def demo(directory: Directory = None, keep: Keep = False) -> None:
    """Show the whole promise: a tree goes up, the run is killed half-way, goes on, and every file is proven.

    Needs no account and no network: the service is the embedded server, and everything lies in a temporary folder.
    """
    with _folder(keep) as folder:
        proven = _Demo(folder, directory).show()
    raise typer.Exit(int(ExitCode.OK if proven else ExitCode.FILES_FAILED))


@contextmanager
def _folder(keep: bool) -> Iterator[str]:
    folder = os.path.realpath(tempfile.mkdtemp(prefix="bulkup-demo-"))
    try:
        yield folder
    finally:
        if keep:
            typer.echo(f"Kept: {printable(folder)}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


class _Demo:
    """One demonstration in a folder of its own."""

    def __init__(self, folder: str, directory: str | None) -> None:
        self._made = directory is None
        self._source = os.path.join(folder, "tree") if directory is None else os.path.realpath(directory)
        self._store = os.path.join(folder, "store")
        self._journal = os.path.join(folder, "journal.sqlite3")
        if inside_any(folder, [self._source]):
            raise UsageError(
                f"the temporary folder {folder} lies inside {self._source}", hint="set TMPDIR to another place"
            )

    def show(self) -> bool:
        """Carry it out, step by step, and return whether all of it was proven."""
        files = self._tree()
        cut_short = self._upload_and_kill(files)
        puts_at_kill = self._look(cut_short)
        self._resume()
        proven = self._prove(puts_at_kill)
        _say("6. Now yours", "bulkup upload DIR --provider local", "config.example.toml names every setting")
        return proven

    def _tree(self) -> int:
        if self._made:
            if shutil.disk_usage(os.path.dirname(self._source)).free < _TREE_NEEDS:
                raise MachineError(
                    f"the demonstration needs {size_text(_TREE_NEEDS)} of free space", hint="set TMPDIR, or name a DIR"
                )
            os.mkdir(self._source)
            make_tree(self._source)
        root = os.fsencode(self._source)
        sizes = [os.path.getsize(os.path.join(root, path)) for path in files_below(root)]
        if not sizes:
            raise UsageError(f"there are no files in {self._source}")
        what = "made for this: odd names, links, empty files" if self._made else printable(self._source)
        figures = f"{count_text(len(sizes), 'file')}, {size_text(sum(sizes))}, the largest {size_text(max(sizes))}"
        _say("1. A tree", f"{figures} ({what})")
        return len(sizes)

    def _upload_and_kill(self, files: int) -> bool:
        """Upload and kill the run half-way. Returns False where it was over before."""
        half = (files + 1) // 2
        _say("2. Upload it to the embedded server, and kill -9 half-way", shlex.join(self._command))
        with self._started() as process:
            done = 0
            for event in _events(process):
                done += event["event"] == "file"
                if done >= half:
                    process.kill()
                    break
        _show_cursor()
        killed = process.returncode < 0
        _say("", f"killed when {count_text(done, 'file')} were up" if killed else "it was over before the kill came")
        return killed

    def _look(self, cut_short: bool) -> int:
        """Tell what the journal knows now, and return how many PUTs the server has completed."""
        status, puts = self._status(), self._puts()
        done = _done(status)
        others = count_text(sum(status.files.values()) - done, "file")
        _say(
            "3. What is left behind",
            f"the journal: {count_text(done, 'file')} uploaded, {others} under way",
            f"the server: {count_text(puts, 'PUT')} completed, so {puts - done} were in flight at the kill"
            if cut_short
            else f"the server: {count_text(puts, 'PUT')} completed",
        )
        return puts - done

    def _resume(self) -> None:
        _say("4. The same command again")
        summary: dict[str, Any] = {}
        with self._started() as process:
            for event in _events(process):
                summary = event if event["event"] == "summary" else summary
        if not summary:
            raise MachineError(f"the second run ended with exit status {process.returncode} and without a summary")
        files, seconds = summary["files"], duration_text(summary["seconds"])
        skipped = f"{count_text(files['skipped'], 'file')} known as uploaded and left alone"
        _say("", f"{skipped}, {count_text(files['uploaded'], 'file')} uploaded in {seconds}")

    def _prove(self, in_flight: int) -> bool:
        with Reader(self._journal) as reader:
            proof = verify_demo(os.fsencode(self._source), reader.manifest(), os.path.join(self._store, "objects"))
        twice = self._puts() - proof.files
        proven = not proof.faults and twice <= in_flight
        _say(
            "5. Proof" if proven else "5. NOT proven",
            f"{count_text(proof.files, 'file')}, {size_text(proof.size)}: each stands in the manifest once, and file, "
            "manifest and stored object have the same MD5"
            if not proof.faults
            else f"{count_text(len(proof.faults), 'fault')} in {count_text(proof.files, 'file')}",
            f"sent twice: {twice}, in flight at the kill: {in_flight}",
            *proof.faults[:_SHOWN_FAULTS],
        )
        return proven

    def _status(self) -> JournalStatus:
        with Reader(self._journal) as reader:
            return reader.status()

    def _puts(self) -> int:
        return int(anyio.run(_stats, self._store)["puts_completed"])

    @property
    def _command(self) -> list[str]:
        options = ["--provider", "local", "--store", self._store, "--journal", self._journal, "--json"]
        return ["bulkup", "upload", self._source, *options]

    @contextmanager
    def _started(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the upload as a process of its own; it is over, one way or another, when this context is."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BULKUP_")}
        command = [sys.executable, "-P", "-m", *self._command, "--log-level", "warning"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environ) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise


async def _stats(store: str) -> dict[str, int]:
    """Ask a server on the store for its figures; it starts once the one of the run before has ended."""
    async with (
        ServerProcess(ServerConfig(store, prefer_last_port=True)) as server,
        Transport(TransportOptions(connections=1), SystemClock()) as transport,
    ):
        answer = await transport.call(server.url, ApiRequest("GET", "/-/stats"))
        return dict(answer.json())


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    yield from map(orjson.loads, process.stdout)


def _done(status: JournalStatus) -> int:
    return sum(count for state, count in status.files.items() if state in DONE)


def _say(head: str, *lines: str) -> None:
    if head:
        typer.echo(head)
    for line in lines:
        typer.echo(f"   {printable(line)}")


def _show_cursor() -> None:
    """The killed run hid the terminal's cursor and had no time to show it again."""
    if sys.stderr.isatty():
        typer.echo("\x1b[?25h", err=True)
