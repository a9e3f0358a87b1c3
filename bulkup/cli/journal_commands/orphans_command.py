"""`bulkup orphans`: remote ids that are not needed, and uploads in parts that were never completed."""

from __future__ import annotations

import functools
import itertools
import os
from typing import Annotated

import anyio
import typer

from bulkup.cli.journal_choice import chosen_journal
from bulkup.cli.journal_commands.command_parameters import Sources, age
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_console import output_console
from bulkup.cli.run_settings import load_settings
from bulkup.cli.setting_options import setting_option
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, ShardOfRun, SourceId
from bulkup.config import ResolvedSettings, journal_path
from bulkup.errors import UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader
from bulkup.reports.json_text import dumps
from bulkup.reports.tables import orphan_json, orphans_lines, unfinished_json, unfinished_line

_OLD_UPLOADS = "7d"

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


@closed_output_is_success()
def orphans(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    shard: ShardOfRun = None,
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
    with Reader(chosen_journal(source, profile, config, provider, source_id, journal, shard=shard)) as reader:
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


def _unfinished(found: ResolvedSettings, journal: str, older_than: str, *, remove: bool, json: bool) -> None:
    """Show the unfinished uploads at the service, and remove them on request."""
    from bulkup.api.unfinished import unfinished_uploads  # noqa: PLC0415  # only this option makes requests

    before = SystemClock().now() - age(older_than)
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
