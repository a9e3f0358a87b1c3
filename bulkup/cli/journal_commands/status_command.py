"""`bulkup status`: the numbers of files in each state, and the last run."""

from __future__ import annotations

import typer

from bulkup.cli.journal_choice import chosen_journal
from bulkup.cli.journal_commands.command_parameters import Sources
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_console import output_console
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, SourceId
from bulkup.journal import Reader
from bulkup.reports.json_text import dumps
from bulkup.reports.tables import status_json, status_text


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
