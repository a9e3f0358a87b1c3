"""`bulkup manifest merge`: one manifest of several journals, such as those of shards or of several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from bulkup.cli.journal_commands.command_parameters import Since
from bulkup.cli.journal_commands.manifest_command import (
    Format,
    OnDisk,
    Output,
    States,
    check_format,
    states_of,
    write_rows,
)
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_file import refuse_journals
from bulkup.journal.merged_manifest import MergedManifest
from bulkup.model.shard import Shard
from bulkup.reports.formatting import count_text

Journals = Annotated[list[str], typer.Argument(metavar="JOURNAL", help="The journals, in any order.")]
Mixed = Annotated[
    bool, typer.Option("--mixed", help="Accept journals of different destinations or sources, for one list of all.")
]
_SHOWN = 10  # missing shards


@closed_output_is_success()
def merge(
    journal: Journals,
    format: Format = "jsonl",  # noqa: A002  # the option's name
    output: Output = None,
    status: States = None,
    since: Since = None,
    on_disk: OnDisk = False,
    mixed: Mixed = False,
) -> None:
    """Make one manifest of several journals, such as those of shards, ordered by source and path.

    A file that several journals have is listed once, as it ended in the newest run. A journal may be in use. Notes on
    repeated files and missing shards go to standard error.

    Examples:
    bulkup manifest merge ~/.local/state/bulkup/nightly+*of8.sqlite3 -o manifest.jsonl
    bulkup manifest merge node1.sqlite3 node2.sqlite3 --format csv --status failed,rejected
    """
    check_format(format, output)
    states = states_of(status)
    for path in journal if output is not None else ():
        refuse_journals(str(output), path)
    with MergedManifest(journal, mixed=mixed) as merged:
        number = write_rows(merged.rows(states, since), format, output, on_disk=on_disk, readers=merged.readers)
        typer.echo(f"{count_text(number, 'file')} of {count_text(len(journal), 'journal')}.", err=True)
        if repeated := merged.counts.repeated:
            verb = "was" if repeated == 1 else "were"
            typer.echo(
                f"{count_text(repeated, 'file')} {verb} in several journals, and {verb} listed once: as of the newest "
                "run with a result.",
                err=True,
            )
        for note in shard_notes(merged.shards()):
            typer.echo(note, err=True)


def shard_notes(shards: Sequence[Shard]) -> Iterator[str]:
    """Yield notes about shards without a journal, and about journals with different numbers of shards."""
    totals = sorted({shard.total for shard in shards})
    if len(totals) > 1:
        yield f"The journals have different numbers of shards: {', '.join(map(str, totals))}."
        return
    there = {shard.number for shard in shards}
    missing = [f"{number}/{total}" for total in totals for number in range(1, total + 1) if number not in there]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield f"Not in this manifest: shards {', '.join(missing[:_SHOWN])}{more}."
