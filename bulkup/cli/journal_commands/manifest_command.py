"""`bulkup manifest`: every file in a journal, as JSON lines or CSV."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal

import typer

from bulkup.cli.journal_choice import chosen_journal
from bulkup.cli.journal_commands.command_parameters import Sources
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_file import output_file, refuse_journals
from bulkup.cli.shared_options import Config, JournalFile, Profile, Provider, SourceId
from bulkup.errors import MachineError, UsageError
from bulkup.journal import Reader
from bulkup.reports.manifest import write_manifest

Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]
Format = Annotated[str, typer.Option("--format", metavar="jsonl|csv", help="One JSON object per line, or CSV.")]


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
