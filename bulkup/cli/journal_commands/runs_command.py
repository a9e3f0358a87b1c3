"""`bulkup runs`: the runs of a journal, and the removal of its old entries.

Only `--prune` writes: it takes the lock.
"""

from __future__ import annotations

import contextlib
import os
from typing import Annotated

import anyio
import typer

from bulkup.cli.journal_choice import chosen_journal
from bulkup.cli.journal_commands.command_parameters import Sources, age
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_console import output_console
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, ShardOfRun, SourceId
from bulkup.config.units import parse_duration
from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader, prune_dry_run
from bulkup.journal import prune as prune_journal
from bulkup.reports.json_text import dumps
from bulkup.reports.runs_list import run_json, runs_lines
from bulkup.reports.tables import pruned_json, pruned_text

_OLD = "90d"

Prune = Annotated[
    bool, typer.Option("--prune", help="Remove old runs, unused ids, and files that were never uploaded.")
]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help="With --prune: the age of entries to remove; default 90d."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --prune: show what would be removed, and write nothing.")]


@closed_output_is_success()
def runs(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    shard: ShardOfRun = None,
    json: Json = None,
    prune: Prune = False,
    older_than: OlderThan = None,
    dry_run: DryRun = False,
) -> None:
    """List the runs, the newest first; or prune the journal.

    --prune always keeps uploaded files, files in progress, and the newest run.

    Examples:
    bulkup runs --profile nightly
    bulkup runs --profile nightly --prune --older-than 30d
    """
    if prune:
        _refuse_ages(source or [])
    path = chosen_journal(source, profile, config, provider, source_id, journal, shard=shard)
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
            for line in runs_lines(reader.runs()):
                typer.echo(line)


def _refuse_ages(sources: list[str]) -> None:
    """Refuse `--prune 30d`: 30d would be a source, and the journal would be pruned by the default age."""
    for source in sources:
        with contextlib.suppress(ValueError):
            parse_duration(source)
            if not os.path.exists(source):
                raise UsageError(f"{source} is not a source", hint=f"for an age, write --prune --older-than {source}")


def _prune(path: str, older_than: str, *, dry_run: bool, json: bool) -> None:
    before = SystemClock().now() - age(older_than)
    pruned = prune_dry_run(path, before) if dry_run else anyio.run(prune_journal, path, before)
    if json:
        typer.echo(dumps(pruned_json(pruned, before, dry_run=dry_run)))
    else:
        output_console().print(pruned_text(pruned, before, dry_run=dry_run))
