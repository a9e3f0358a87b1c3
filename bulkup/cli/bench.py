"""`bulkup bench`: how fast a service and the way to it are, with which settings, and what limits them."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated, Any

import typer

from bulkup.api.bench import Load, TrialPlan, bench_choice, check
from bulkup.api.composition import rate_limit as rate_limit_of
from bulkup.cli.bench_lists import numbers, ways, whole_number
from bulkup.cli.bench_run import Order, carry_out
from bulkup.cli.shared_options import (
    CHOOSE,
    AllowedHosts,
    AppUserId,
    AssetId,
    BaseUrl,
    CaFile,
    Config,
    ExpiresAt,
    IamUrl,
    Json,
    PipelineId,
    Profile,
    ProjectId,
    ProviderOfRun,
    Region,
    resolved,
)
from bulkup.cli.shared_options import Confirm as ConfirmCall
from bulkup.config import public_base_url
from bulkup.config.providers import LOCAL
from bulkup.config.units import SIZE, parse_size
from bulkup.errors import UsageError
from bulkup.reports.human import count_text, size_text
from bulkup.reports.safe_text import printable

_FILES = 256
_MOST_FILES = 100_000
_SIZE = "256k"
_MOST_WORKERS = 1024
# Options that are settings elsewhere are lists here, or mean something else.
_NO_SETTINGS = ("profile", "config", "yes", "files", "size", "concurrency", "batch_size", "source", "manifest")
_TRY = "What to try"
_OUTPUT = "Output"


def _try(*names: str, metavar: str, text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_TRY)


def _output(*names: str, metavar: str, text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_OUTPUT)


def bench(
    profile: Profile = None,
    config: Config = None,
    provider: ProviderOfRun = None,
    base_url: BaseUrl = None,
    ca_file: CaFile = None,
    allowed_hosts: AllowedHosts = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; files will be created at the service.")] = False,
    files: Annotated[str, _try("--files", metavar="N", text="Files in each trial.")] = str(_FILES),
    size: Annotated[
        list[str] | None,
        _try("--size", metavar="SIZE", text=f"Size of the files, {_SIZE} by default; several are used by turns."),
    ] = None,
    concurrency: Annotated[
        str | None,
        _try("--concurrency", metavar="LIST", text="Files at a time to try, e.g. 8,32. Default: 4,16,64 and around."),
    ] = None,
    batch_size: Annotated[
        str | None,
        _try("--batch-size", metavar="LIST", text="Files a call to try, e.g. 25,100. Default: as set, then others."),
    ] = None,
    calls_in_flight: Annotated[
        str | None, _try("--calls-in-flight", metavar="N", text="API calls at the same time.")
    ] = None,
    rate_limit: Annotated[
        str | None, _try("--rate-limit", metavar="N", text="API calls a second; 0: no limit.")
    ] = None,
    source: Annotated[
        str | None,
        _try("--source", metavar="DIR", text="Also measure how fast DIR can be read; nothing of it is sent."),
    ] = None,
    region: Region = None,
    project_id: ProjectId = None,
    asset_id: AssetId = None,
    app_user_id: AppUserId = None,
    iam_url: IamUrl = None,
    pipeline_id: PipelineId = None,
    expires_at: ExpiresAt = None,
    confirm: ConfirmCall = None,
    manifest: Annotated[
        str | None,
        _output("--manifest", metavar="FILE", text="Where to write the ids that were created. Default: a file here."),
    ] = None,
    json: Json = None,
    log_format: Annotated[str | None, _output("--log-format", metavar="console|json", text="Form of the log.")] = None,
    log_level: Annotated[
        str | None, _output("--log-level", metavar="LEVEL", text="debug, info, warning or error.")
    ] = None,
) -> None:
    """Measure a service and the way to it: which settings are the best, and what limits them.

    Uploads generated files for real, in one trial after the other, each with other settings. What goes to a service
    stays there, and counts for its quota and its bill; you are asked before. Your files and journals are left alone.

    To try it out, which needs no account and leaves nothing behind: bulkup bench --provider local

    Exit status:
    0 measured
    1 some of the generated files failed for good
    2 wrong usage or configuration, or not agreed to: nothing was started
    3 the service did not take some of them
    4 the service refused, or cannot be used
    7 this machine's own fault: disk full, out of descriptors
    129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM; what was measured until then is shown
    """
    options = {name: value for name, value in locals().items() if name not in _NO_SETTINGS}
    given = resolved({**options, "source": [source] if source is not None else None}, profile, config)
    settings = given.settings
    if settings.provider is None:
        raise UsageError(CHOOSE)
    load = Load(whole_number("--files", files, 1, _MOST_FILES), tuple(_size(text) for text in size or [_SIZE]))
    chosen = check(settings, load.sizes, profile=given.profile)
    current = bench_choice(settings, chosen)
    limit = chosen.capabilities.batch_limit
    plan = TrialPlan(
        current=current,
        batch_limit=limit,
        files=load.files,
        rate_limit=rate_limit_of(settings, chosen),
        concurrency=ways("--concurrency", concurrency, _MOST_WORKERS),
        batch_sizes=numbers("--batch-size", batch_size, limit),
    )
    path = _manifest_path(manifest, settings.provider)
    _announce(settings.provider, public_base_url(settings), load, plan, path)
    if settings.provider != LOCAL and not yes:
        _ask()
    sys.exit(carry_out(Order(given, chosen, plan, load, path, explicit_source=source is not None)))


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--size: expected {SIZE}, not {text}") from error


def _manifest_path(named: str | None, provider: str) -> str | None:
    """Return where ids are to be written; an embedded server's go with its store, unless somebody wants them."""
    path = named
    if path is None and provider != LOCAL:
        path = f"bulkup-bench-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    if path is not None and os.path.lexists(path):
        raise UsageError(f"{path} is there already, and may name what another bench created", hint="name another file")
    return path


def _announce(provider: str, base_url: str | None, load: Load, plan: TrialPlan, manifest: str | None) -> None:
    sizes = " and ".join(size_text(size) for size in load.sizes)
    files, size = load.most_files(plan), load.most_bytes(plan)
    trials = f"At most {count_text(plan.most_trials, 'trial')} of {count_text(load.files, 'file')} of {sizes}"
    whole = f"{count_text(files, 'file')}, {size_text(size)} in all"
    if provider == LOCAL:
        lines = [f"{trials}, to an embedded server on this machine: {whole}. Nothing of it stays."]
    else:
        lines = [
            f"{trials}, to {provider} at {base_url}: {whole}.",
            "They are generated, and STAY at the service: bulkup cannot delete them there, and they may cost money.",
            f"Their ids are written to {manifest}",
        ]
    typer.echo("\n".join(map(printable, lines)), err=True)


def _ask() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("files would be created at the service, and nobody is here to agree", hint="add --yes")
    typer.echo("Go on? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not agreed to; nothing was sent")
