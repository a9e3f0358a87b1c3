"""`bulkup report`: a run as a page, as text, as Markdown or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bulkup.api.run_report import FORMATS, gather, render
from bulkup.cli.journal_choice import choose_journal, options_of, run_number
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.output_file import output_file, refuse_journals
from bulkup.cli.shared_options import Config, JournalFile, Profile, Provider, SourceId
from bulkup.config.paths import inside_any
from bulkup.config.report_table import ENDINGS
from bulkup.errors import MachineError, UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader
from bulkup.reports.runs_list import SHOWN_ID
from bulkup.reports.safe_text import printable

MODE = 0o600  # a report has names of files and messages of servers

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="An id of `bulkup runs` or its beginning; default: the newest run.")
]
ReportSources = Annotated[
    list[str] | None, typer.Option("--source", metavar="DIR", help="A source of the runs; may be repeated.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="Default: by the end of the output's name, else html (extra report).",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Default: standard output; on a terminal, a page is a file."),
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]


@closed_output_is_success()
def report(
    run: RunName = "last",
    source: ReportSources = None,
    profile: Profile = None,
    config: Config = None,
    provider: Provider = None,
    source_id: SourceId = None,
    journal: JournalFile = None,
    format: Format = None,  # noqa: A002  # the option's name
    output: Output = None,
    open_page: Open = False,
) -> None:
    """Write a report of a run as a page: figures over time, failures with advice, comparison, settings.

    The page is one file that loads nothing. A run that goes on or was killed has one too.

    Examples:
    bulkup report --profile nightly --open
    bulkup report 3f2a --profile nightly -o report.md
    bulkup report --profile nightly --format terminal
    """
    form = _format(format, output)
    if open_page and form != "html":
        raise UsageError(f"--open shows a page, and the format is {form}", hint="leave out --format, or use html")
    if form == "html":
        from bulkup.reports.run_report.html_report import require_jinja2  # noqa: PLC0415  # only this format

        require_jinja2()
    if os.path.isdir(run) and source is None:
        raise UsageError(f"{printable(run)} is not a run", hint=f"to name a source, write --source {printable(run)}")
    chosen = choose_journal(source, profile, config, provider, source_id, journal)
    if output is not None:
        refuse_journals(output, chosen.path)
    with Reader(chosen.path) as reader:
        number = run_number(reader, run)
        facts = gather(reader, number, lambda one: options_of(chosen, one), SystemClock().now())
    text = render(facts, form, blocks=_writes_blocks())
    if output is None and (open_page or (form == "html" and sys.stdout.isatty())):
        output = f"bulkup-report-{facts.run.run[:SHOWN_ID]}.html"
    if output is None:
        sys.stdout.write(text)
        return
    path = os.path.abspath(output)
    _refuse_source(path, facts.run.sources)
    write_report(path, text)
    typer.echo(printable(path))
    if open_page and not _opened(path):
        raise MachineError("no browser could be started", hint=f"open {printable(path)} yourself")


def write_report(path: str, text: str) -> None:
    """Write a report, which replaces a file only when it is complete. Raises `MachineError`."""
    try:
        with output_file(path, MODE) as stream:
            stream.write(text.encode("utf-8"))
    except OSError as error:
        hint = "name a file in a folder that you may write to with --output"
        raise MachineError(f"cannot write {printable(path)}: {error.strerror or error}", hint=hint) from error


def _refuse_source(path: str, sources: Sequence[bytes]) -> None:
    """Raise `UsageError` for a report that the next run would upload."""
    if source := inside_any(path, sources):
        raise UsageError(
            f"--output: {printable(path)} is inside the source {printable(source)}, so it would be uploaded",
            hint="name a file outside every source with --output",
        )


def _format(given: str | None, output: str | None) -> str:
    if given is None:
        return ENDINGS.get(os.path.splitext(output or "")[1].lower(), "html")
    if given not in FORMATS:
        raise UsageError(f"--format: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {printable(given)}")
    return given


def _writes_blocks() -> bool:
    """Return whether standard output can show the characters of a curve."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _opened(path: str) -> bool:
    import webbrowser  # noqa: PLC0415  # only --open needs it
    from urllib.request import pathname2url  # noqa: PLC0415  # the same

    return webbrowser.open(f"file://{pathname2url(path)}")
