"""`bulkup upload`: options to settings, a run, and its outcome."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from bulkup.api import preview
from bulkup.cli.output import reader_may_leave
from bulkup.cli.shared_options import (
    CHOOSE,
    AllowedHosts,
    AppUserId,
    AssetId,
    BaseUrl,
    CaFile,
    Config,
    Confirm,
    ExpiresAt,
    IamUrl,
    JournalFile,
    Json,
    PipelineId,
    Profile,
    ProjectId,
    ProviderOfRun,
    Region,
    SourceId,
    resolved,
    service_option,
)
from bulkup.cli.upload_run import run_upload
from bulkup.config import Resolved
from bulkup.errors import UsageError
from bulkup.helpers import event_loop
from bulkup.reports.jsontext import dumps, path_fields
from bulkup.reports.logs import configure_logging
from bulkup.reports.safe_text import printable, printable_path
from bulkup.reports.summary import expired_text

_FILES = "Which files"
_SPEED = "Speed and patience"
_OUTPUT = "Output"

Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCE", help="Directories or files.", show_default=False)
]


def _files(*names: str, metavar: str, text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_FILES)


def _speed(*names: str, metavar: str, text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_SPEED)


def _output(*names: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_OUTPUT)


def upload(
    source: Sources = None,
    profile: Profile = None,
    config: Config = None,
    provider: ProviderOfRun = None,
    base_url: BaseUrl = None,
    ca_file: CaFile = None,
    allowed_hosts: AllowedHosts = None,
    destination: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name for the account, where the service shows none.")
    ] = None,
    journal: JournalFile = None,
    store: Annotated[str | None, typer.Option(metavar="DIR", help="Where --provider local keeps objects.")] = None,
    source_id: SourceId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; call nothing, write nothing.")] = False,
    region: Region = None,
    project_id: ProjectId = None,
    asset_id: AssetId = None,
    asset_file_category: Annotated[
        str | None,
        service_option("--asset-file-category", metavar="NAME", text="metastudio: what files are to it, such as MAIN."),
    ] = None,
    asset_map: Annotated[
        str | None,
        service_option(
            "--asset-map", metavar="FILE", text="metastudio: a .csv or .jsonl file with the asset of each file."
        ),
    ] = None,
    app_user_id: AppUserId = None,
    iam_url: IamUrl = None,
    pipeline_id: PipelineId = None,
    object_key: Annotated[
        str | None,
        service_option("--object-key", metavar="TEMPLATE", text="xvid: names of files, e.g. uploads/{path}."),
    ] = None,
    expires_at: ExpiresAt = None,
    confirm: Confirm = None,
    include: Annotated[
        list[str] | None, _files("--include", metavar="PATTERN", text="Take only what matches; gitignore syntax.")
    ] = None,
    exclude: Annotated[
        list[str] | None, _files("--exclude", metavar="PATTERN", text="Leave out what matches; gitignore syntax.")
    ] = None,
    files_from: Annotated[
        str | None,
        _files("--files-from", metavar="FILE", text="Take the files named in FILE (- is stdin), relative to SOURCE."),
    ] = None,
    null: Annotated[
        bool | None, typer.Option("--null", "-0", help="Names in --files-from end in NUL.", rich_help_panel=_FILES)
    ] = None,
    min_size: Annotated[str | None, _files("--min-size", metavar="SIZE", text="Smallest file, e.g. 10k.")] = None,
    max_size: Annotated[str | None, _files("--max-size", metavar="SIZE", text="Largest file, e.g. 2G.")] = None,
    min_age: Annotated[
        str | None, _files("--min-age", metavar="TIME", text="Leave files that changed less than this ago, e.g. 5m.")
    ] = None,
    hidden: Annotated[str | None, _files("--hidden", metavar="include|skip", text="Names with a dot in front.")] = None,
    symlinks: Annotated[
        str | None,
        _files("--symlinks", metavar="skip|inside|follow", text="Links: none, those within the source, or all."),
    ] = None,
    identity: Annotated[
        str | None,
        _files("--identity", metavar="strict|default|content", text="What makes a file the one uploaded before."),
    ] = None,
    reupload_expired: Annotated[
        bool | None,
        typer.Option("--reupload-expired", help="Send again what the service has deleted.", rich_help_panel=_FILES),
    ] = None,
    unsupported: Annotated[
        str | None,
        _files("--unsupported", metavar="report|skip", text="Files of an extension that the service does not take."),
    ] = None,
    on_change: Annotated[
        str | None,
        _files("--on-change", metavar="skip|retry|fail", text="Files that change or vanish while they are read."),
    ] = None,
    allow_empty: Annotated[
        bool | None,
        typer.Option("--allow-empty", help="An empty source that had files is fine.", rich_help_panel=_FILES),
    ] = None,
    concurrency: Annotated[
        str | None, _speed("--concurrency", metavar="auto|N", text="Files sent at the same time; auto finds out.")
    ] = None,
    processes: Annotated[
        str | None, _speed("--processes", metavar="auto|N", text="Processes that send; auto finds out.")
    ] = None,
    batch_size: Annotated[str | None, _speed("--batch-size", metavar="N", text="Files asked for in one call.")] = None,
    calls_in_flight: Annotated[
        str | None, _speed("--calls-in-flight", metavar="N", text="API calls at the same time.")
    ] = None,
    checksum: Annotated[
        str | None, _speed("--checksum", metavar="md5|none", text="none: hash nothing; files are unverified.")
    ] = None,
    rate_limit: Annotated[
        str | None, _speed("--rate-limit", metavar="N", text="API calls a second; 0: no limit.")
    ] = None,
    attempts: Annotated[str | None, _speed("--attempts", metavar="N", text="Tries for one file.")] = None,
    retry_for: Annotated[
        str | None, _speed("--retry-for", metavar="TIME", text="How long a file is tried after it first failed.")
    ] = None,
    retry_after_max: Annotated[
        str | None, _speed("--retry-after-max", metavar="TIME", text="The longest wait a service may ask for.")
    ] = None,
    connect_timeout: Annotated[
        str | None, _speed("--connect-timeout", metavar="TIME", text="For a connection to come about.")
    ] = None,
    idle_timeout: Annotated[
        str | None, _speed("--idle-timeout", metavar="TIME", text="For a connection that carries nothing.")
    ] = None,
    sender: Annotated[
        str | None, _speed("--sender", metavar="lean|aiohttp", text="What carries files to storage.")
    ] = None,
    max_duration: Annotated[
        str | None, _speed("--max-duration", metavar="TIME", text="Begin no new file after that; end with 6.")
    ] = None,
    max_failures: Annotated[
        str | None, _speed("--max-failures", metavar="N", text="Stop once that many files failed for good.")
    ] = None,
    grace: Annotated[str | None, _speed("--grace", metavar="TIME", text="For files in flight after a signal.")] = None,
    wait: Annotated[
        bool | None, typer.Option("--wait", help="Wait for a run that holds the journal.", rich_help_panel=_SPEED)
    ] = None,
    json: Json = None,
    quiet: Annotated[bool | None, typer.Option("--quiet", "-q", help="Errors only.", rich_help_panel=_OUTPUT)] = None,
    log_format: Annotated[str | None, _output("--log-format", metavar="console|json", text="Form of the log.")] = None,
    log_level: Annotated[
        str | None, _output("--log-level", metavar="LEVEL", text="debug, info, warning or error.")
    ] = None,
) -> None:
    """Upload directories or files; run it again to go on where it stopped.

    Exit status:
    0 everything found is uploaded
    1 some files failed for good
    2 wrong usage or configuration, nothing was started
    3 some files changed, vanished, were unreadable or are not taken by the service
    4 the service refused, or cannot be used
    5 another run holds the journal
    6 stopped at --max-duration, the same command goes on
    7 this machine's own fault: disk full, journal damaged
    129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM, the same command goes on
    """
    options = {
        name: value for name, value in locals().items() if name not in ("source", "profile", "config", "dry_run")
    }
    settings = resolved({"source": source or None, **options}, profile, config)
    if settings.settings.provider is None:
        raise UsageError(CHOOSE)
    if dry_run:
        _preview(settings)
        return
    code = event_loop.run(run_upload, settings)
    sys.exit(code)


@reader_may_leave()
def _preview(resolved_: Resolved) -> None:
    settings = resolved_.settings
    configure_logging(settings.log_format, settings.log_level)
    counts: dict[str, int] = {}
    size = expired = 0
    for entry in preview(settings, profile=resolved_.profile, environ=os.environ):
        counts[entry.action] = counts.get(entry.action, 0) + 1
        size += entry.size if entry.action in ("upload", "check") else 0
        expired += entry.expired and entry.action in ("unchanged", "check")
        if settings.json_output:
            line = {"event": "would", **path_fields("path", entry.path), "source": entry.source, "size": entry.size}
            what = {"action": entry.action, "reason": entry.reason, "taken": entry.taken, "expired": entry.expired}
            typer.echo(dumps({**line, **what}))
        elif entry.action not in ("unchanged", "skipped") and not settings.quiet:
            typer.echo(
                f"{entry.action:<10} {printable_path(entry.path)}"
                + (f"  ({printable(entry.reason)})" if entry.reason else "")
            )
    if settings.json_output:
        typer.echo(dumps({"event": "dry-run", "files": counts, "bytes": size}))
    else:
        shown = ", ".join(f"{count:,} {action}" for action, count in sorted(counts.items()))
        typer.echo(f"Dry run: {shown or 'no files'}; {size:,} bytes would go. Nothing was called or written.")
        if expired:
            typer.echo(f"{expired_text(expired)}.")
