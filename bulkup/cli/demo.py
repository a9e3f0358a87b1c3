"""`bulkup demo`: upload a tree, kill the run, resume it, and verify every file, in under a minute."""

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
    typer.Argument(metavar="[DIR]", help="Use this tree; bulkup only reads it."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the demonstration's files, and print their folder.")]


def demo(directory: Directory = None, keep: Keep = False) -> None:
    """Upload a tree, kill the run half-way, resume it, and verify every file.

    Needs no account and no network: the service is the embedded server, and all files are in a temporary folder.
    """
    if directory is not None:
        _check_tree(directory)
    with _folder(keep) as folder:
        verified = _Demo(folder, directory).show()
    raise typer.Exit(int(ExitCode.OK if verified else ExitCode.FILES_FAILED))


def _check_tree(directory: str) -> None:
    """Raise UsageError if a directory cannot be read."""
    try:
        os.scandir(directory).close()
    except OSError as error:
        hint = "name a directory with files, or none for a generated tree"
        raise UsageError(f"cannot use {directory}: {error.strerror}", hint=hint) from error


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
    """One demonstration, in its own folder."""

    def __init__(self, folder: str, directory: str | None) -> None:
        self._made = directory is None
        self._source = os.path.join(folder, "tree") if directory is None else os.path.realpath(directory)
        self._store = os.path.join(folder, "store")
        self._journal = os.path.join(folder, "journal.sqlite3")
        if inside_any(folder, [self._source]):
            raise UsageError(
                f"the temporary folder {folder} is inside {self._source}", hint="set TMPDIR to another folder"
            )

    def show(self) -> bool:
        """Show all steps, and return whether every file was verified."""
        files = self._tree()
        was_killed = self._upload_and_kill(files)
        unrecorded = self._inspect(was_killed, files)
        self._resume()
        verified = self._verify(unrecorded)
        _say(
            "6. Try it with your own files",
            "bulkup upload DIR --provider local",
            "bulkup upload --help lists the services",
        )
        return verified

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
            raise UsageError(f"there are no files in {self._source}", hint="name a directory with files")
        what = "generated, with unusual names, links and empty files" if self._made else printable(self._source)
        figures = f"{count_text(len(sizes), 'file')}, {size_text(sum(sizes))}, the largest {size_text(max(sizes))}"
        _say("1. The tree", figures, what)
        return len(sizes)

    def _upload_and_kill(self, files: int) -> bool:
        """Upload and kill the run half-way. Return False if it had ended before."""
        half = (files + 1) // 2
        _say("2. Upload it to the embedded server, and kill the run half-way (kill -9)", shlex.join(self._command))
        with self._started() as process:
            done = 0
            for event in _events(process):
                done += event["event"] == "file"
                if done >= half:
                    process.kill()
                    break
        _show_cursor()
        killed = process.returncode < 0
        reported = count_text(done, "uploaded file")
        _say("", f"killed after reporting {reported}" if killed else "the run ended before the kill")
        return killed

    def _inspect(self, was_killed: bool, files: int) -> int:
        """Show the state of the journal, and return how many completed PUTs are not recorded in it."""
        status, puts = self._status(), self._puts()
        done, found = _done(status), sum(status.files.values())
        others = f"{found - done:,} in progress, {files - found:,} not found yet"
        missing = f"{puts - done:,} of them not yet" if puts > done else "all of them"
        _say(
            "3. The state after the kill" if was_killed else "3. The state after the run",
            f"journal: {count_text(done, 'file')} uploaded, {others}",
            f"server: {count_text(puts, 'file')} received, {missing} recorded in the journal",
        )
        return puts - done

    def _resume(self) -> None:
        _say("4. The same command again")
        summary: dict[str, Any] = {}
        with self._started() as process:
            for event in _events(process):
                summary = event if event["event"] == "summary" else summary
        if not summary:
            raise MachineError(f"the second run ended with exit code {process.returncode} and without a summary")
        files, seconds = summary["files"], duration_text(summary["seconds"])
        skipped = f"{count_text(files['skipped'], 'file')} already uploaded and skipped"
        _say("", f"{skipped}, {count_text(files['uploaded'], 'file')} uploaded in {seconds}")

    def _verify(self, unrecorded: int) -> bool:
        with Reader(self._journal) as reader:
            result = verify_demo(os.fsencode(self._source), reader.manifest(), os.path.join(self._store, "objects"))
        twice = self._puts() - result.files
        verified = not result.faults and twice <= unrecorded
        files = count_text(result.files, "file")
        if result.faults:
            found = [f"{count_text(len(result.faults), 'fault')} in {files}"]
        else:
            found = [
                f"{files}, {size_text(result.size)}: each is in the manifest once",
                "each file has the same MD5 on disk, in the manifest and in the store",
            ]
        _say(
            "5. Verified" if verified else "5. NOT verified",
            *found,
            f"sent twice: {count_text(twice, 'file')} (not recorded at the kill: {unrecorded:,})",
            *result.faults[:_SHOWN_FAULTS],
        )
        return verified

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
        """Run the upload as a separate process, which has ended when this context ends."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BULKUP_")}
        command = [sys.executable, "-P", "-m", *self._command, "--log-level", "warning"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environ) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise


async def _stats(store: str) -> dict[str, int]:
    """Start a server on the store and return its statistics. It waits until the server of the run has ended."""
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
    """Show the terminal's cursor again, which the killed run had hidden."""
    if sys.stderr.isatty():
        typer.echo("\x1b[?25h", err=True)
