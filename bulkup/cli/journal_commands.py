"""`status`, `runs`, `manifest`, `orphans`: show the content of a journal. They take no lock and disturb no run.

Only `runs --prune` writes: it takes the lock, and removes old entries from the journal.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sys
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal

import anyio
import typer

from bulkup.cli.journal_choice import chosen_journal
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_console import output_console
from bulkup.cli.output_file import output_file, refuse_journals
from bulkup.cli.run_settings import load_settings
from bulkup.cli.setting_options import setting_option
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, SourceId
from bulkup.config import ResolvedSettings, journal_path
from bulkup.config.units import DURATION, parse_duration
from bulkup.errors import MachineError, UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader, prune_dry_run
from bulkup.journal import prune as prune_journal
from bulkup.reports.json_text import dumps
from bulkup.reports.manifest import write_manifest
from bulkup.reports.tables import (
    orphan_json,
    orphans_lines,
    pruned_json,
    pruned_text,
    run_json,
    runs_table,
    status_json,
    status_text,
    unfinished_json,
    unfinished_line,
)

_OLD = "90d"
_OLD_UPLOADS = "7d"

Sources = Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="The sources of the runs.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove old runs, unused ids, and files that were never uploaded.")
]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help="With --prune: the age of entries to remove; default 90d."),
]
Unfinished = Annotated[
    bool, typer.Option("--unfinished", help="List uploads in parts at the service that were never completed (s3).")
]
Remove = Annotated[
    bool, typer.Option("--remove", help="With --unfinished: remove those that no run of this journal continues.")
]
OlderOrphans = Annotated[
    str | None,
    typer.Option(
        "--older-than", metavar="AGE", help="With --remove: the age of uploads unknown to this journal; default 7d."
    ),
]
Bucket = Annotated[str | None, setting_option("bucket")]
BaseUrl = Annotated[str | None, setting_option("base_url")]
Region = Annotated[str | None, setting_option("region")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --prune: show what would be removed, and write nothing.")]
Format = Annotated[str, typer.Option("--format", metavar="jsonl|csv", help="One JSON object per line, or CSV.")]


@closed_output_is_success()
def status(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    json: Json = None,
) -> None:
    """Show how many files are in which state, and how the last run ended."""
    with Reader(chosen_journal(source, profile, config, provider, source_id, journal)) as reader:
        now = reader.status()
    if json:
        typer.echo(dumps(status_json(now)))
    else:
        output_console().print(status_text(now))


@closed_output_is_success()
def runs(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    json: Json = None,
    prune: Prune = False,
    older_than: OlderThan = None,
    dry_run: DryRun = False,
) -> None:
    """List the runs, the newest first; or prune the journal.

    --prune always keeps uploaded files, files in progress, and the newest run.
    """
    if prune:
        _refuse_ages(source or [])
    path = chosen_journal(source, profile, config, provider, source_id, journal)
    if prune:
        _prune(path, older_than or _OLD, dry_run=dry_run, json=bool(json))
        return
    if older_than is not None or dry_run:
        raise UsageError("--older-than and --dry-run are only for --prune")
    with Reader(path) as reader:
        if json:
            for run in reader.runs():
                typer.echo(dumps(run_json(run)))
        else:
            output_console().print(runs_table(reader.runs()))


@closed_output_is_success()
def manifest(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    format: Format = "jsonl",  # noqa: A002  # the option's name
    output: Output = None,
) -> None:
    """List every file with its id at the service, its checksum and its state."""
    if format not in ("jsonl", "csv"):
        raise UsageError(f"--format: expected jsonl or csv, not {format}")
    chosen: Literal["jsonl", "csv"] = "csv" if format == "csv" else "jsonl"
    path = chosen_journal(source, profile, config, provider, source_id, journal)
    if output is not None:
        refuse_journals(output, path)
    with Reader(path) as reader, _output(output) as stream:
        on_terminal = output is None and sys.stdout.isatty()
        write_manifest(reader.manifest(), stream, chosen, on_terminal=on_terminal)


@closed_output_is_success()
def orphans(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    json: Json = None,
    unfinished: Unfinished = False,
    remove: Remove = False,
    older_than: OlderOrphans = None,
    bucket: Bucket = None,
    base_url: BaseUrl = None,
    region: Region = None,
) -> None:
    """List unused remote ids: nothing was uploaded to them, or their files were uploaded again since.

    With --unfinished, ask the service for uploads in parts that were never completed.
    """
    if unfinished:
        given = {"source": source or None, "provider": provider, "source_id": source_id, "journal": journal}
        given |= {"bucket": bucket, "base_url": base_url, "region": region}
        resolved = load_settings(given, profile, config)
        where = journal_path(
            resolved.settings, resolved.profile, resolved.settings.source, os.environ, resolved.config_file
        )
        _unfinished(resolved, where, older_than or _OLD_UPLOADS, remove=remove, json=bool(json))
        return
    if remove or older_than is not None:
        raise UsageError("--remove and --older-than are only for --unfinished")
    with Reader(chosen_journal(source, profile, config, provider, source_id, journal)) as reader:
        found = itertools.chain(reader.orphans(), reader.superseded())
        if json:
            for orphan in found:
                typer.echo(dumps(orphan_json(orphan)))
            return
        console, none = output_console(), True
        for line in orphans_lines(found):
            none = False
            console.print(line)
        if none:
            typer.echo("No orphans.")


def _unfinished(found: ResolvedSettings, journal: str, age: str, *, remove: bool, json: bool) -> None:
    """Show the unfinished uploads at the service, and remove them on request."""
    from bulkup.api.unfinished import unfinished_uploads  # noqa: PLC0415  # only this option makes requests

    before = SystemClock().now() - _age(age)
    listing = functools.partial(
        unfinished_uploads,
        found.settings,
        journal,
        profile=found.profile,
        environ=os.environ,
        remove_before=before if remove else None,
    )
    uploads = anyio.run(listing)
    if json:
        for one in uploads:
            typer.echo(dumps(unfinished_json(one)))
        return
    console = output_console()
    for one in uploads:
        console.print(unfinished_line(one))
    if not uploads:
        typer.echo("No unfinished uploads.")


def _age(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--older-than: expected {DURATION}, not {text}") from error


def _refuse_ages(sources: list[str]) -> None:
    """Refuse `--prune 30d`: 30d would be a source, and the journal would be pruned by the default age."""
    for source in sources:
        with contextlib.suppress(ValueError):
            parse_duration(source)
            if not os.path.exists(source):
                raise UsageError(f"{source} is not a source", hint=f"for an age, write --prune --older-than {source}")


def _prune(path: str, age: str, *, dry_run: bool, json: bool) -> None:
    before = SystemClock().now() - _age(age)
    pruned = prune_dry_run(path, before) if dry_run else anyio.run(prune_journal, path, before)
    if json:
        typer.echo(dumps(pruned_json(pruned, before, dry_run=dry_run)))
    else:
        output_console().print(pruned_text(pruned, before, dry_run=dry_run))


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    try:
        if path is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        else:
            with output_file(path) as stream:
                yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError(f"cannot write {path or 'standard output'}: {error.strerror or error}") from error
