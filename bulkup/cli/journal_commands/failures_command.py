"""`bulkup failures`: why files were not uploaded, and the next command for each reason."""

from __future__ import annotations

from typing import Annotated

import typer

from bulkup.cli.journal_choice import choose_journal, options_of, run_number
from bulkup.cli.journal_commands.command_parameters import Since, Sources
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, ShardOfRun, SourceId
from bulkup.journal import Reader
from bulkup.journal.failure_groups import failure_groups
from bulkup.journal.run_records import read_record
from bulkup.journal.skipped_rejections import skipping_run
from bulkup.model.states import NOT_UPLOADED, FileState
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.reports.failure_report import (
    failed_file_line,
    failed_file_object,
    failure_lines,
    failure_object,
)
from bulkup.reports.json_text import dumps
from bulkup.reports.last_run import last_run_lines, last_run_object

Reason = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", help="List the files whose reason contains TEXT, in upper or lower case."),
]


@closed_output_is_success()
def failures(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    shard: ShardOfRun = None,
    json: Json = None,
    reason: Reason = None,
    since: Since = None,
) -> None:
    """Show why files were not uploaded: by reason, with advice and the next command.

    Counts files that failed, were rejected, changed or were unreadable. `bulkup retry` uploads them once the cause is
    mended.

    Examples:
    bulkup failures --profile nightly
    bulkup failures --profile nightly --reason AccessDenied
    """
    chosen = choose_journal(source, profile, config, provider, source_id, journal, shard=shard)
    with Reader(chosen.path) as reader:
        first = run_number(reader, since) if since is not None else 0
        if reason is not None:
            _list_files(reader, reason, first, json=bool(json))
            return
        last = next(reader.runs(), None)
        options = options_of(chosen, last)
        groups = failure_groups(reader, alike, first)
        record = read_record(reader, run_number(reader, last.run)) if last is not None else None
    if json:
        for group in groups:
            typer.echo(dumps(failure_object(group, options)))
        ended = last_run_object(last, record, options, chosen.path, groups=bool(groups))
        if ended is not None:
            typer.echo(dumps(ended))
        return
    for line in failure_lines(groups, options):
        typer.echo(line)
    if not groups:
        typer.echo("No files failed.")
    for line in last_run_lines(last, record, options, chosen.path, groups=bool(groups)):
        typer.echo(line)


def _list_files(reader: Reader, reason: str, first: int, *, json: bool) -> None:
    """Print the files with a reason one by one. The reason may also be the common part that the groups show."""
    wanted, none, skipping = reason.casefold(), True, skipping_run(reader)
    for row in reader.manifest(NOT_UPLOADED, first):
        text = row.error or ""
        if row.status is FileState.REJECTED and row.run < skipping:
            continue
        if wanted in text.casefold() or wanted in alike(text).casefold():
            none = False
            typer.echo(dumps(failed_file_object(row)) if json else failed_file_line(row))
    if none and not json:
        typer.echo("No file has this reason.")
