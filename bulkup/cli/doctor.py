"""`bulkup doctor`: examine this machine, and with a profile its sources, files, journal and the way to its service."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from bulkup.api.doctor import Finding, Severity, examine_journal, examine_machine, examine_network, examine_sources
from bulkup.api.doctor.finding import error, ok
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.run_outputs import check_outputs, outputs
from bulkup.cli.run_settings import current_folder, load_settings
from bulkup.cli.shared_options import Config, JournalFile, Profile
from bulkup.config import ResolvedSettings, journal_path, public_base_url
from bulkup.errors import ExitCode, UsageError
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per finding on standard output.")]


def doctor(
    profile: Profile = None, config: Config = None, journal: JournalFile = None, as_json: AsJson = False
) -> None:
    """Examine the basis of uploads: versions, limits, clock, sources, disk, journal, proxy, DNS and TLS.

    A profile's log file, metrics and report are examined too.

    Without a profile, only this machine is examined. Nothing is changed, and no call is made to the service; `bulkup
    config check --online` makes one.

    Exit codes: 0 nothing is wrong, 7 something makes uploads fail.
    """
    worst = ExitCode.OK
    with closed_output_is_success():
        for finding in _findings(profile, config, journal):
            if finding.severity is Severity.ERROR:
                worst = ExitCode.MACHINE
            sys.stdout.write((dumps(finding._asdict()).decode() if as_json else _line(finding)) + "\n")
            sys.stdout.flush()
    raise typer.Exit(int(worst))


def _findings(profile: str | None, config: str | None, journal: str | None) -> Iterator[Finding]:
    yield from examine_machine()
    resolved = load_settings({"journal": journal}, profile, config)
    settings = resolved.settings
    if resolved.profile is not None and settings.source:
        yield from examine_sources(settings.source)
        yield from _outputs(resolved)
    if journal is not None:
        yield from examine_journal(os.path.join(current_folder(), journal))
    elif resolved.profile is not None and settings.source:
        yield from examine_journal(
            journal_path(settings, resolved.profile, settings.source, os.environ, resolved.config_file)
        )
    base_url = public_base_url(settings)
    if base_url:
        yield from examine_network(base_url, settings.ca_file, time.time())


def _outputs(resolved: ResolvedSettings) -> Iterator[Finding]:
    """Yield the finding about the files that a run writes beside its journal, if there are any."""
    named = outputs(resolved)
    if not named:
        return
    try:
        check_outputs(resolved)
    except UsageError as found:
        yield error("outputs", found.message, found.hint)
    else:
        yield ok("outputs", f"{', '.join(named)} can be written")


def _line(finding: Finding) -> str:
    advice = f"; {finding.advice}" if finding.advice else ""
    return printable(f"{finding.severity:<8} {finding.subject + ':':<13} {finding.text}{advice}")
