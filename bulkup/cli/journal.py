"""`status`, `runs`, `manifest`, `orphans`: what a journal tells. They take no lock and disturb no run."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal

import orjson
import typer
from rich.console import Console

from bulkup.cli.options import Config, JournalFile, Json, Profile, Provider, resolved
from bulkup.config import PROVIDERS, Settings, journal_path
from bulkup.config.user_dirs import user_state_dir
from bulkup.errors import BulkupError, MachineError, UsageError
from bulkup.journal import Reader
from bulkup.reports.manifest import write_manifest
from bulkup.reports.safe_text import printable_path
from bulkup.reports.tables import orphan_json, orphans_lines, run_json, runs_table, status_json, status_text

_WIDE = 1000

Sources = Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="The sources of the runs.")]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE.")]
Format = Annotated[str, typer.Option("--format", metavar="jsonl|csv", help="One JSON object a line, or CSV.")]


def status(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    journal: JournalFile = None,
    json: Json = None,
) -> None:
    """Show how many files stand where, and how the last run ended."""
    with _reader(source, profile, config, provider, journal) as reader:
        now = reader.status()
    if json:
        typer.echo(orjson.dumps(status_json(now)))
    else:
        _console().print(status_text(now))


def runs(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    journal: JournalFile = None,
    json: Json = None,
) -> None:
    """List the runs, the newest first."""
    with _reader(source, profile, config, provider, journal) as reader:
        if json:
            for run in reader.runs():
                typer.echo(orjson.dumps(run_json(run)))
        else:
            _console().print(runs_table(reader.runs()))


def manifest(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    journal: JournalFile = None,
    format: Format = "jsonl",  # noqa: A002  # the option's name
    output: Output = None,
) -> None:
    """List every file with the service's id for it, its checksum and its state."""
    if format not in ("jsonl", "csv"):
        raise UsageError(f"--format: expected jsonl or csv, not {format}")
    chosen: Literal["jsonl", "csv"] = "csv" if format == "csv" else "jsonl"
    with _reader(source, profile, config, provider, journal) as reader, _output(output) as stream:
        write_manifest(reader.manifest(), stream, chosen)


def orphans(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    journal: JournalFile = None,
    json: Json = None,
) -> None:
    """List remote ids that were created and never got their bytes."""
    with _reader(source, profile, config, provider, journal) as reader:
        if json:
            for orphan in reader.orphans():
                typer.echo(orjson.dumps(orphan_json(orphan)))
            return
        none = True
        for line in orphans_lines(reader.orphans()):
            none = False
            _console().print(line)
        if none:
            typer.echo("No orphans.")


def _reader(
    source: list[str] | None, profile: str | None, config: str | None, provider: str | None, journal: str | None
) -> Reader:
    given = {"source": source or None, "provider": provider, "journal": journal}
    found = resolved(given, profile, config)
    settings = found.settings
    if settings.journal is not None:
        return Reader(settings.journal)
    if found.profile is not None or (settings.provider is not None and settings.source):
        return Reader(journal_path(settings, found.profile, settings.source, os.environ))
    return Reader(_only_journal(settings))


def _only_journal(settings: Settings) -> str:
    """Return the one journal there is, of these sources where some are given, of this provider where one is.

    Raises `UsageError` when there are none or several.
    """
    folder = user_state_dir(os.environ)
    if settings.source:
        every = (settings.model_copy(update={"provider": name}) for name in PROVIDERS)
        paths = [journal_path(one, None, one.source, os.environ) for one in every]
        paths = [path for path in paths if os.path.exists(path)]
    else:
        start = f"{settings.provider}-" if settings.provider is not None else ""
        paths = [os.path.join(folder, name) for name in _names(folder) if name.startswith(start)]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        what = " of this kind" if settings.source or settings.provider else ""
        raise UsageError(
            f"there is no journal{what} in {folder} yet", hint="run `bulkup upload` first, or give --journal FILE"
        )
    shown = "\n".join(f"  --journal {shlex.quote(path)}{_whose(path)}" for path in paths)
    raise UsageError(
        f"there are several journals; name one:\n{shown}", hint="or give --profile, or --provider and the sources"
    )


def _whose(path: str) -> str:
    """Return what tells a journal from others: its last run's provider and sources."""
    try:
        with Reader(path) as reader:
            run = next(reader.runs(), None)
    except BulkupError:
        return "  (cannot be read)"
    return "" if run is None else f"  ({run.provider}: {', '.join(map(printable_path, run.sources))})"


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".sqlite3"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MachineError(f"cannot read the folder of the journals {folder}: {error.strerror or error}") from error


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    try:
        if path is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        else:
            with _replacing(path) as stream:
                yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError(f"cannot write {path or 'standard output'}: {error.strerror or error}") from error


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """Write a file so that the old one stays until the new one is whole."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as stream:  # a pipe or a device, which nothing can take the place of
            yield stream
        return
    unfinished = f"{path}.unfinished"
    try:
        with open(unfinished, "wb") as stream:
            yield stream
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDE  # what is read by a program or a pager must not be cut to a guess of 80
    return console
