"""`bulkup upload`: turn options into settings, and start a run or a dry run."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from bulkup.cli import entry
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.run_settings import load_run_settings, load_upload_settings
from bulkup.cli.setting_options import setting_options
from bulkup.cli.shared_options import Config, Json, Profile
from bulkup.config import ResolvedSettings
from bulkup.config.catalogue import settings_in
from bulkup.config.declaration import Panel
from bulkup.errors import UsageError
from bulkup.model.counters import Ignored
from bulkup.reports.formatting import count_text, size_text
from bulkup.reports.json_text import dumps, path_fields
from bulkup.reports.logs import configure_logging
from bulkup.reports.safe_text import printable, printable_path
from bulkup.reports.summary import expired_text

Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCE", help="Directories or files.", show_default=False)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be uploaded; make no API call and write nothing.")
]
# For the counts of a dry run: `2 to upload`. Other actions are adjectives already.
_THEN_TEXTS = ("removed from the source", "moved out of the source")
_ACTION_TEXTS = {"upload": "to upload", "check": "to check", "confirm": "to confirm"}


@setting_options(*settings_in(*Panel), before="dry_run")
def upload(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    dry_run: DryRun = False,
    json: Json = None,
    **options: Any,
) -> None:
    """Upload directories or files; run it again to resume.

    Examples:
    bulkup upload ~/clips --provider local
    bulkup upload --profile nightly --until 06:00
    bulkup upload ~/clips --provider s3 --bucket media --exclude "*.tmp" --dry-run

    Proxies are those of http_proxy, https_proxy, all_proxy and no_proxy in the environment.

    Exit codes:
    0 all files are uploaded
    1 some files failed
    2 wrong usage or configuration, nothing was started
    3 some files changed, disappeared, were unreadable or are not accepted by the service
    4 the service refused, or cannot be used
    5 another run holds the journal
    6 stopped at --max-duration, --until, --max-files or --max-bytes, the same command resumes
    7 an error of this machine: disk full, journal damaged
    129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM, the same command resumes
    """
    load = load_run_settings if dry_run else load_upload_settings
    resolved = load({"source": source or None, "json": json, **options}, profile, config)
    if not dry_run:
        sys.exit(entry.upload(resolved))
    if resolved.settings.watch:
        raise UsageError("--dry-run ends, so it has no --watch", hint="leave out one of them")
    _preview(resolved)


@closed_output_is_success()
def _preview(resolved: ResolvedSettings) -> None:
    from bulkup.api import preview  # noqa: PLC0415  # a run needs other modules of it
    from bulkup.api.moved_source import moved_source_warnings  # noqa: PLC0415  # the same

    settings = resolved.settings
    configure_logging(settings.log_format, settings.log_level)
    counts: dict[str, int] = {}
    size = expired = leaving = 0
    then = _THEN_TEXTS[settings.move_to is not None]
    ignored = Ignored()
    found_files = preview(
        settings, profile=resolved.profile, config_file=resolved.config_file, environ=os.environ, ignored=ignored
    )
    for found in found_files:
        counts[found.action] = counts.get(found.action, 0) + 1
        size += found.size if found.action in ("upload", "check") else 0
        expired += found.expired and found.action in ("unchanged", "check")
        leaving += found.then is not None
        if settings.json_output:
            line = {"event": "would", **path_fields("path", found.path), "source": found.source, "size": found.size}
            what = {"action": found.action, "reason": found.reason, "taken": found.taken, "expired": found.expired}
            what |= {"then": found.then} if found.then is not None else {}
            typer.echo(dumps({**line, **what}))
        elif (found.then or found.action not in ("unchanged", "skipped")) and not settings.quiet:
            notes = [printable(found.reason)] if found.reason else []
            notes += [f"then {then}"] if found.then else []
            typer.echo(
                f"{found.action:<10} {printable_path(found.path)}" + (f"  ({'; '.join(notes)})" if notes else "")
            )
    if settings.json_output:
        others = {} if settings.shard is None else {"other_shards": ignored.other_shards}
        typer.echo(dumps({"event": "dry-run", "files": counts, "bytes": size, **others}))
    else:
        shown = ", ".join(f"{count:,} {_ACTION_TEXTS.get(action, action)}" for action, count in sorted(counts.items()))
        most = "at most " if counts.get("check") else ""  # a file is checked because it may be unchanged
        typer.echo(
            f"Dry run: {shown or 'no files'}; {most}{size_text(size)} would be uploaded. Nothing was sent or written."
        )
        if settings.shard is not None:
            verb = "belongs" if ignored.other_shards == 1 else "belong"
            typer.echo(f"{count_text(ignored.other_shards, 'file')} {verb} to other shards.")
        if leaving:
            typer.echo(f"{count_text(leaving, 'file')} would be {then} once the upload is proven.")
        if expired:
            typer.echo(f"{expired_text(expired)}.")
    for warning in moved_source_warnings(resolved, os.environ):
        typer.echo(f"warning: {printable(warning)}", err=True)
