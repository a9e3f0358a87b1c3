"""`bulkup manifest`: every file in a journal, as JSON lines or CSV."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, BinaryIO, Literal

import typer

from bulkup.cli.journal_choice import chosen_journal, run_number
from bulkup.cli.journal_commands.command_parameters import Since, Sources
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_file import output_file, refuse_journals
from bulkup.cli.shared_options import Config, JournalFile, Profile, Provider, ShardOfRun, SourceId
from bulkup.errors import MachineError, UsageError
from bulkup.journal import Reader
from bulkup.journal.removed_files import removed_by_run
from bulkup.model.journal_rows import ManifestRow
from bulkup.model.states import FileState
from bulkup.reports.json_text import public_state
from bulkup.reports.manifest import write_manifest

Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]
Format = Annotated[
    str,
    typer.Option(
        "--format", metavar="jsonl|csv|parquet", help="One JSON object per line, CSV, or Parquet (bulkup[parquet])."
    ),
]
OnDisk = Annotated[
    bool, typer.Option("--on-disk", help="Add how each file on disk compares now: same, changed, deleted and others.")
]
States = Annotated[
    str | None,
    typer.Option("--status", metavar="STATE,...", help="Only files in these states, such as failed,rejected."),
]


@closed_output_is_success()
def manifest(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    shard: ShardOfRun = None,
    format: Format = "jsonl",  # noqa: A002  # the option's name
    output: Output = None,
    status: States = None,
    since: Since = None,
    on_disk: OnDisk = False,
) -> None:
    """List every file with its id at the service, its checksum and its state; or merge manifests.

    `bulkup manifest merge JOURNAL...` makes one manifest of several journals, such as those of shards.

    Examples:
    bulkup manifest --profile nightly --format csv -o manifest.csv
    bulkup manifest --profile nightly --status failed,rejected --since last
    """
    check_format(format, output)
    states = states_of(status)
    path = chosen_journal(source, profile, config, provider, source_id, journal, shard=shard)
    if output is not None:
        refuse_journals(output, path)
    with Reader(path) as reader:
        rows = reader.manifest(states, run_number(reader, since) if since is not None else 0)
        write_rows(rows, format, output, on_disk=on_disk, readers=[reader])


def write_rows(
    rows: Iterable[ManifestRow], form: str, output: str | None, *, on_disk: bool, readers: Sequence[Reader]
) -> int:
    """Write a manifest to a file or to standard output, and return the number of its rows."""
    with _output(output) as stream:
        if on_disk:
            from bulkup.api.verify.marked_manifest import with_disk_states  # noqa: PLC0415  # only this option

            rows = with_disk_states(rows, lambda row: any(removed_by_run(reader, row) for reader in readers))
        if form == "parquet":
            from bulkup.reports.parquet_manifest import write_parquet  # noqa: PLC0415  # only this format

            return write_parquet(rows, stream, on_disk=on_disk)
        chosen: Literal["jsonl", "csv"] = "csv" if form == "csv" else "jsonl"
        return write_manifest(rows, stream, chosen, on_terminal=_on_terminal(output), on_disk=on_disk)


def _on_terminal(output: str | None) -> bool:
    return output is None and sys.stdout.isatty()


def check_format(form: str, output: str | None) -> None:
    """Raise `UsageError` for an unknown format, and if Parquet cannot be written: it is binary, and needs a package."""
    if form not in ("jsonl", "csv", "parquet"):
        raise UsageError(f"--format: expected jsonl, csv or parquet, not {form}")
    if form != "parquet":
        return
    if _on_terminal(output):
        raise UsageError("Parquet is binary, and standard output is a terminal", hint="write it to a file with -o FILE")
    from bulkup.reports.parquet_manifest import require_pyarrow  # noqa: PLC0415  # only this format

    require_pyarrow()


def states_of(text: str | None) -> frozenset[FileState]:
    """Return the states with these names, as the manifest shows them; none for None. Raises `UsageError`."""
    if text is None:
        return frozenset()
    names = [name.strip() for name in text.split(",")]
    known = list(dict.fromkeys(map(public_state, FileState)))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"--status: expected some of {', '.join(known)}, not {unknown[0] or 'an empty name'}")
    return frozenset(state for state in FileState if public_state(state) in names)


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
