"""`bulkup status`: the numbers of files in each state and the last run; or all that is known of single files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from bulkup.cli.journal_choice import ChosenJournal, chosen_journal, journals_of_files, options_of
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_console import output_console
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile, Provider, ShardOfRun, SourceId
from bulkup.errors import UsageError
from bulkup.helpers.beneath import stat_beneath
from bulkup.journal import Reader
from bulkup.journal.file_record import file_records
from bulkup.journal.removed_files import removed_by_run
from bulkup.model.disk_states import DiskState, compared
from bulkup.model.files import stat_of
from bulkup.model.journal_rows import FileRecord
from bulkup.reports.file_report import file_lines, file_object
from bulkup.reports.json_text import dumps
from bulkup.reports.next_commands import JournalOptions
from bulkup.reports.safe_text import printable
from bulkup.reports.tables import status_json, status_text

SourcesOrFiles = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE|FILE", help="The sources of the runs, or files to show one by one."),
]


@closed_output_is_success()
def status(
    source: SourcesOrFiles = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    shard: ShardOfRun = None,
    json: Json = None,
) -> None:
    """Show how many files are in which state, and how the last run ended; or where a FILE stands, and why.

    A FILE is a path on disk, or as the manifest shows it. It is searched in all journals, unless options name one.

    Examples:
    bulkup status --profile nightly
    bulkup status /data/media/photos/a.jpg
    """
    files = [one for one in source or () if not os.path.isdir(one)]
    if files and len(files) == len(source or ()):
        journals = journals_of_files(profile, config, provider, source_id, journal, shard=shard)
        if not _are_sources(files, journals, source_id):
            _show_files(files, journals, json=bool(json))
            return
    with Reader(chosen_journal(source, profile, config, provider, source_id, journal, shard=shard)) as reader:
        now = reader.status()
    if json:
        typer.echo(dumps(status_json(now)))
    else:
        output_console().print(status_text(now))


def _are_sources(paths: Sequence[str], journals: Sequence[ChosenJournal], name: str | None) -> bool:
    """Return whether these are directories of earlier runs that do not exist now: a disk may not be mounted."""
    if any(map(os.path.exists, paths)):
        return False
    roots = [os.path.realpath(os.fsencode(path)) for path in paths]
    for chosen in journals:
        with Reader(chosen.path) as reader:
            if all(reader.knows_source(root, name) for root in roots):
                return True
    return False


def _show_files(files: Sequence[str], journals: Sequence[ChosenJournal], *, json: bool) -> None:
    """Print the records of files. Raises `UsageError` for one that no journal has."""
    for file in files:
        found = False
        for record, options, removed in _records(file, journals):
            found = True
            on_disk = DiskState.REMOVED if removed else _on_disk(record)
            if json:
                typer.echo(dumps(file_object(record, on_disk, options)))
            else:
                for line in file_lines(record, on_disk, options):
                    typer.echo(line)
        if not found:
            where = journals[0].path if len(journals) == 1 else f"none of {len(journals)} journals"
            hint = "a pattern or --min-age may leave it out, or no run has reached it; `bulkup upload --dry-run` says"
            verb = "has not met" if len(journals) == 1 else "has met"
            raise UsageError(f"{where} {verb} the file {printable(file)}", hint=hint)


def _records(file: str, journals: Sequence[ChosenJournal]) -> Iterator[tuple[FileRecord, JournalOptions, bool]]:
    """Yield the records of a file, and whether a run has removed it and it is not there."""
    for chosen in journals:
        with Reader(chosen.path) as reader:
            records = file_records(reader, os.fsencode(file))
            options = options_of(chosen, next(reader.runs(), None)) if records else JournalOptions()
            gone = [_on_disk(record) is DiskState.DELETED and removed_by_run(reader, record.row) for record in records]
        for record, removed in zip(records, gone, strict=True):
            yield record, options, removed


def _on_disk(record: FileRecord) -> DiskState:
    """Return how the file on disk compares with its row; a link leads to the file that it names."""
    try:
        root = os.open(record.row.source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = stat_beneath(root, record.row.path, follow=True)
        finally:
            os.close(root)
    except (FileNotFoundError, NotADirectoryError):
        return DiskState.DELETED
    except OSError:
        return DiskState.UNREADABLE
    return compared(record.row.identity, stat_of(found))
