"""`bulkup bench`: measure a service and the network, find the best settings, and name the bottleneck."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated, Any

import typer

from bulkup.api.bench import BenchLoad, TrialPlan, bench_choice, bench_extension, check_bench
from bulkup.api.composition import rate_limit as rate_limit_of
from bulkup.cli.bench_lists import parse_concurrency, parse_numbers, parse_whole_number
from bulkup.cli.bench_run import BenchRequest, run_bench
from bulkup.cli.run_settings import load_run_settings
from bulkup.cli.setting_options import setting_options
from bulkup.cli.shared_options import Config, Json, Profile
from bulkup.config import public_base_url, require_provider
from bulkup.config.catalogue import settings_in
from bulkup.config.declaration import Panel
from bulkup.config.provider_declarations import LOCAL
from bulkup.config.units import SIZE, parse_size
from bulkup.errors import UsageError
from bulkup.reports.formatting import count_text, size_text
from bulkup.reports.safe_text import printable

_FILES = 256
_MOST_FILES = 100_000
_SIZE = "256k"
_MOST_WORKERS = 1024
# These settings concern the user's own files. A bench uses its own.
_FILE_SETTINGS = ("asset_file_category", "asset_map", "asset_type", "extensions", "object_key")
_SERVICE_SETTINGS = tuple(name for name in settings_in(Panel.SERVICES) if name not in _FILE_SETTINGS)
_TRY = "What to try"
_SIZE_HELP = f"Size of the files, {_SIZE} by default; if given repeatedly, the sizes take turns."
_CONCURRENCY_HELP = "Numbers of files at a time to try, e.g. 8,32. Default: 4,16,64 and numbers near the best."
_BATCH_SIZE_HELP = "Numbers of files per API call to try, e.g. 25,100. Default: the current number and others."
_SOURCE_HELP = "Also measure how fast DIR can be read; its files are not sent."


def _try(name: str, *, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=_TRY)


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Create files at the service without asking first.")]
Files = Annotated[str, _try("--files", metavar="N", text="Files in each trial.")]
Size = Annotated[list[str] | None, _try("--size", metavar="SIZE", text=_SIZE_HELP)]
Concurrency = Annotated[str | None, _try("--concurrency", metavar="LIST", text=_CONCURRENCY_HELP)]
BatchSize = Annotated[str | None, _try("--batch-size", metavar="LIST", text=_BATCH_SIZE_HELP)]
Source = Annotated[str | None, _try("--source", metavar="DIR", text=_SOURCE_HELP)]
Manifest = Annotated[
    str | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="Where to write the ids that were created. Default: a file in the current directory.",
        rich_help_panel=Panel.OUTPUT.value,
    ),
]


@setting_options("log_format", "log_level")
@setting_options(*_SERVICE_SETTINGS, before="manifest")
@setting_options("calls_in_flight", "rate_limit", before="source", panel=_TRY)
@setting_options("provider", "base_url", "ca_file", "allowed_hosts", before="yes")
def bench(
    profile: Profile = None,
    config: Config = None,
    yes: Yes = False,
    files: Files = str(_FILES),
    size: Size = None,
    concurrency: Concurrency = None,
    batch_size: BatchSize = None,
    source: Source = None,
    manifest: Manifest = None,
    json: Json = None,
    **options: Any,
) -> None:
    """Measure a service and the network: find the best settings, and the bottleneck.

    Uploads generated files to the service in several trials with different settings.
    The files remain at the service and count towards its quota and bill, so you are asked first.
    Your own files and journals are not touched.

    To try it without an account, and without leaving files behind: bulkup bench --provider local

    Exit codes:
    0 measured
    1 some of the generated files failed
    2 wrong usage or configuration, or not confirmed: nothing was started
    3 the service did not accept some of the files
    4 the service refused, or cannot be used
    7 an error of this machine: disk full, out of descriptors
    129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM; the finished trials are shown
    """
    sources = [source] if source is not None else None
    given = load_run_settings({"source": sources, "json": json, **options}, profile, config)
    settings = given.settings
    provider = require_provider(settings)
    sizes = tuple(_size(text) for text in size or [_SIZE])
    number = parse_whole_number("--files", files, 1, _MOST_FILES)
    chosen = check_bench(settings, sizes, profile=given.profile)
    load = BenchLoad(number, sizes, bench_extension(chosen))
    current = bench_choice(settings, chosen)
    limit = chosen.capabilities.batch_limit
    plan = TrialPlan(
        current=current,
        batch_limit=limit,
        files=load.files,
        rate_limit=rate_limit_of(settings, chosen),
        concurrency=parse_concurrency("--concurrency", concurrency, _MOST_WORKERS),
        batch_sizes=parse_numbers("--batch-size", batch_size, limit),
        calls=not chosen.capabilities.signs_locally,
    )
    path = _manifest_path(manifest, provider)
    _announce(provider, public_base_url(settings), load, plan, path)
    if provider != LOCAL and not yes:
        _ask()
    sys.exit(run_bench(BenchRequest(given, chosen, plan, load, path, explicit_source=source is not None)))


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--size: expected {SIZE}, not {text}") from error


def _manifest_path(named: str | None, provider: str) -> str | None:
    """Return the path for the created ids, None for an embedded server unless a path is given."""
    path = named
    if path is None and provider != LOCAL:
        path = f"bulkup-bench-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    if path is not None and os.path.lexists(path):
        raise UsageError(f"{path} exists already, and may list the ids of another bench", hint="name another file")
    return path


def _announce(provider: str, base_url: str | None, load: BenchLoad, plan: TrialPlan, manifest: str | None) -> None:
    sizes = " and ".join(size_text(size) for size in load.sizes)
    files, size = load.most_files(plan), load.most_bytes(plan)
    trials = f"At most {count_text(plan.most_trials, 'trial')} of {count_text(load.files, 'file')} of {sizes}"
    whole = f"{count_text(files, 'file')}, {size_text(size)} in all, warm-up included"
    if provider == LOCAL:
        lines = [f"{trials}, to an embedded server on this machine: {whole}. All files are deleted afterwards."]
    else:
        lines = [
            f"{trials}, to {provider} at {base_url}: {whole}.",
            "The files are generated and remain at the service: bulkup cannot delete them, and they may cost money.",
            f"Their ids are written to {manifest}.",
        ]
    typer.echo("\n".join(map(printable, lines)), err=True)


def _ask() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "files would be created at the service, and there is no terminal to confirm that", hint="add --yes"
        )
    typer.echo("Continue? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not confirmed; nothing was sent")
