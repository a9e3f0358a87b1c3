"""Builds the parts of a run from the settings: sources, provider, options. It checks everything and starts nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import resource
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from bulkup._version import __version__
from bulkup.config import (
    Settings,
    region_settings,
    require_one_directory,
    require_one_reader,
    require_one_source,
    require_provider,
    require_settings,
    store_path,
)
from bulkup.config import public_base_url as base_url_of
from bulkup.config.pattern_list import load_patterns
from bulkup.config.provider_declarations import LOCAL
from bulkup.config.provider_plugins import checked_table, declaration_of
from bulkup.config.requirements import described_settings
from bulkup.config.setting_types import MOST_CONCURRENCY
from bulkup.config.user_dirs import user_state_dir
from bulkup.errors import UsageError
from bulkup.helpers.clock import Clock
from bulkup.helpers.secrets import Secret
from bulkup.journal import Destination
from bulkup.model.files import ALGORITHM_NAMES, Algorithm, Source
from bulkup.pipeline import MOST_WORKERS, PipelineOptions, RetryPolicy, ScanOptions
from bulkup.pipeline.files.hashing import require_algorithms
from bulkup.pipeline.options import DisposalOptions
from bulkup.pipeline.processes.jobs import Setup
from bulkup.pipeline.scan.own_files import OwnFiles
from bulkup.providers import Provider, ProviderConfig, create, is_registered
from bulkup.transport import HostRules, TransportOptions
from bulkup.transport.proxies import Proxies

if TYPE_CHECKING:
    from bulkup.localserver import ServerConfig

# Files that may wait for their closing calls. Each takes a row in the journal and about two kilobytes of memory.
_CLOSING = 1000
_CLOSING_CALLS = 32  # at a time: a closing call is about one file, even where presign calls are about groups
# A worker has a file and a connection open. The other descriptors are those of the journal, API calls, scan and
# hashers.
_DESCRIPTORS_A_WORKER = 2
_OTHER_DESCRIPTORS = 64
_DESCRIPTORS_AT_MOST = 3  # of a worker that sends a large file: `sendfile` duplicates the connection's
_MOST_IDLE = 1000


def resolve_sources(settings: Settings) -> tuple[Source, ...]:
    """Return the sources with their real paths, without duplicates. Raises `UsageError` for an unusable one."""
    if not settings.source:
        raise UsageError("no source is given", hint="name the directory or file to upload")
    sources = tuple(dict.fromkeys(_resolve(path, settings.source_id) for path in settings.source))
    require_one_directory(settings)
    require_one_reader(settings)
    require_one_source(settings)
    return sources


def _resolve(path: str, name: str | None) -> Source:
    real = os.path.realpath(os.fsencode(path))
    try:
        mode = os.stat(real).st_mode
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = "check its spelling, and whether it is mounted"
        raise UsageError(f"cannot use the source {path}: {reason}", hint=hint) from error
    if stat.S_ISDIR(mode):
        return Source(real, name=name)
    if stat.S_ISREG(mode):
        return Source(os.path.dirname(real), os.path.basename(real), name=name)
    raise UsageError(f"the source {path} is neither a directory nor a regular file")


def uses_embedded_server(settings: Settings) -> bool:
    """Return whether the run starts the embedded server instead of using a remote service."""
    return settings.provider == LOCAL


def local_server_config(settings: Settings, environ: Mapping[str, str]) -> ServerConfig:
    """Return the configuration of the embedded server. Raises `UsageError` for a store inside a source."""
    from bulkup.localserver import ServerConfig  # noqa: PLC0415  # runs with a remote service start without it

    store = os.path.realpath(store_path(settings, settings.source, environ))
    # URLs of an interrupted run are valid only on their port.
    return ServerConfig(store=store, prefer_last_port=True)


def own_files(settings: Settings, journal: str, environ: Mapping[str, str]) -> OwnFiles:
    """Return the files of bulkup itself, as they are on disk now: those of the journal, all other journals, the store.

    It blocks.
    """
    store, folders = None, list[str]()
    if uses_embedded_server(settings):
        store = local_server_config(settings, environ).store
    with contextlib.suppress(UsageError):  # without a home directory there are no other journals
        folders.append(user_state_dir(environ))
    return OwnFiles(journal, store, folders)


def provider_settings(settings: Settings, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the provider's settings by name. It reads lists of files, which blocks. Raises `UsageError`.

    An open list belongs to the provider, which closes it.
    """
    require_settings(settings)
    declared = declaration_of(require_provider(settings))
    values = {name: getattr(settings, name) for name in declared.settings}
    if declared.described:
        values |= {name: getattr(settings, name) for name in described_settings(settings)}
    values["plugin"] = checked_table(require_provider(settings), settings.plugin)
    if values.get("asset_map") is not None:
        from bulkup.config import load_asset_map  # noqa: PLC0415  # few runs have such a list

        values["asset_map"] = load_asset_map(values["asset_map"], sources[0].root)
    if declared.regions is not None:
        values |= region_settings(settings, declared.regions)
    if values.get("urls") is not None:
        from bulkup.providers.urls.url_list import load_url_list  # noqa: PLC0415  # the same

        values["urls"] = load_url_list(values["urls"], sources[0].root)
    return values


def build_provider(
    settings: Settings,
    base_url: str,
    secrets: Mapping[str, Secret],
    values: Mapping[str, Any],
    clock: Clock,
    service_time: Callable[[], float] | None = None,
) -> Provider:
    """Return the provider, which the caller closes. Raises `UsageError` if it does not support the settings.

    `service_time` returns the service's Unix time; without it, that of `clock` is used.
    """
    config = ProviderConfig(base_url, secrets, values, clock, service_time or clock.now)
    provider = create(require_provider(settings), config)
    try:
        _check_support(settings, provider)
    except BaseException:
        provider.close()
        raise
    return provider


def _check_support(settings: Settings, provider: Provider) -> None:
    limit = provider.capabilities.batch_limit
    if settings.batch_size is not None and settings.batch_size > limit:
        raise UsageError(f"batch_size: {provider.name} accepts at most {limit} files in one call")
    first = provider.capabilities.checksum_first
    if settings.checksum == "none" and first is not None:
        message = f"{provider.name} needs a file's {ALGORITHM_NAMES[first]} before the upload, and checksum is none"
        raise UsageError(message, hint="leave checksum at its default, md5")
    require_algorithms(algorithms(settings, provider))


def algorithms(settings: Settings, provider: Provider) -> tuple[Algorithm, ...]:
    """Return the checksums to compute of each file. The first one is recorded."""
    if settings.checksum == "none":
        return ()
    can = provider.capabilities
    return tuple(dict.fromkeys(one for one in (can.checksum_first, can.proof) if one is not None))


def public_base_url(settings: Settings) -> str:
    """Return the base URL of the service's API: the setting, or its public one; empty for a provider without an API."""
    base_url = base_url_of(settings)
    if base_url is None and declaration_of(require_provider(settings)).has_api:
        hint = "it is the root of the service's API: use --base-url, or write `base_url` in a profile"
        raise UsageError(f"{settings.provider} needs base_url", hint=hint)
    return base_url or ""


def check_proxy(base_url: str) -> None:
    """Raise `UsageError` if calls to the service would go through a proxy that cannot be used."""
    if base_url:
        Proxies().check(base_url)


def rate_limit(settings: Settings, provider: Provider) -> float | None:
    """Return the maximum of API calls per second, None for no limit. A setting of 0 removes the provider's limit."""
    limit = provider.capabilities.rate_limit if settings.rate_limit is None else settings.rate_limit
    return limit or None


def destination(settings: Settings, provider: Provider, base_url: str) -> Destination:
    """Return the destination in the journal. That of the embedded server is its store, because its port changes."""
    scope = "/".join(part for part in (provider.scope, settings.destination) if part)
    return Destination(provider.name, base_url, scope)


def pipeline_options(
    settings: Settings,
    provider: Provider,
    scan: ScanOptions,
    retry: RetryPolicy | None = None,
    disposal: DisposalOptions | None = None,
) -> PipelineOptions:
    """Return the sizes and limits of the run. `retry` has the fields of the retry policy that no setting changes."""
    can = provider.capabilities
    calls = settings.calls_in_flight or can.calls_in_flight
    return PipelineOptions(
        concurrency=max_workers(settings),
        adaptive=settings.concurrency == "auto",
        processes=None if settings.processes == "auto" else settings.processes,
        batch_size=settings.batch_size or can.batch_size,
        calls_in_flight=calls,
        closing_calls=max(calls, _CLOSING_CALLS) if can.confirms and calls >= can.calls_in_flight else None,
        closing=_CLOSING if can.confirms else 0,
        grace=settings.grace,
        longest_silence=settings.connect_timeout + 2 * settings.idle_timeout,
        max_failures=settings.max_failures,
        max_files=settings.max_files,
        max_bytes=settings.max_bytes,
        hashers=max(2, os.cpu_count() or 1),
        algorithms=algorithms(settings, provider),
        identity=settings.identity,
        reupload_expired=settings.reupload_expired,
        settings_digest="" if settings.retry_rejected else settings_digest(provider),
        unsupported=settings.unsupported,
        count=settings.count and not settings.quiet,
        disposal=disposal,
        scan=scan,
        retry=dataclasses.replace(
            retry or RetryPolicy(),
            attempts=settings.attempts,
            retry_for=settings.retry_for,
            retry_after_max=settings.retry_after_max,
            on_change=settings.on_change,
        ),
    )


def settings_digest(provider: Provider) -> str:
    """Return a short digest of the settings of presign calls: a rejection holds until they change.

    The account is not part of it: after a change of its rights, `--retry-rejected` asks again.
    """
    digest = hashlib.sha256(repr((__version__, provider.name, sorted(provider.capabilities.extensions or ()))).encode())
    for name, value in sorted(provider.config.settings.items()):
        # An asset map may have millions of entries, so it is not made into one text.
        for part in value.items() if isinstance(value, Mapping) else (value,):
            digest.update(f"{name}={part!r};".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:8]


def process_setup(settings: Settings, provider: Provider, options: PipelineOptions) -> Setup | None:
    """Return the set-up of sending processes, None for a provider that they cannot create by its name."""
    if not is_registered(provider):
        return None
    return Setup(provider.name, transport_options(settings), options.sending)


def max_workers(settings: Settings) -> int:
    """Return the maximum number of workers. With "auto", the descriptor limit of this process bounds it."""
    if settings.concurrency != "auto":
        return settings.concurrency
    return max(1, min(MOST_WORKERS, _free_descriptors(MOST_WORKERS * _DESCRIPTORS_A_WORKER) // _DESCRIPTORS_A_WORKER))


def workers_for(settings: Settings, workers: int | Literal["auto"]) -> int:
    """Return the maximum number of workers for a concurrency that is set during a run.

    Raises `UsageError` for one that is no setting, or that a run which has begun cannot have.
    """
    if workers == "auto":
        return max_workers(settings.model_copy(update={"concurrency": workers}))
    if not 1 <= workers <= MOST_CONCURRENCY:
        raise UsageError(f"concurrency: expected auto, or a whole number from 1 to {MOST_CONCURRENCY}, not {workers}")
    most = _free_descriptors(workers * _DESCRIPTORS_A_WORKER) // _DESCRIPTORS_A_WORKER
    if workers > max(most, max_workers(settings)):
        raise UsageError(
            f"concurrency: this process may open files for {most:,} workers, not {workers:,}", hint="raise `ulimit -n`"
        )
    if settings.sender == "aiohttp" and workers > max_workers(settings):
        most = max_workers(settings)
        raise UsageError(f"concurrency: with the sender aiohttp a run can have at most the {most} that it began with")
    return workers


def idle_connections(workers: int) -> int:
    """Return how many idle connections may stay open, of the descriptors that the workers leave."""
    used = workers * _DESCRIPTORS_AT_MOST
    return max(0, min(_MOST_IDLE, _free_descriptors(used + _MOST_IDLE) - used))


def _free_descriptors(unlimited: int) -> int:
    """Return the descriptors for workers and connections, `unlimited` where the system sets no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return unlimited if limit == resource.RLIM_INFINITY else limit - _OTHER_DESCRIPTORS


def scan_options(settings: Settings) -> ScanOptions:
    """Return the filters that select the run's files. It reads files of patterns, which blocks. Raises `UsageError`."""
    excluded_by_files = [pattern for path in settings.exclude_from for pattern in load_patterns(os.fsdecode(path))]
    return ScanOptions(
        include=settings.include,
        exclude=(*excluded_by_files, *settings.exclude),
        min_size=settings.min_size,
        max_size=settings.max_size,
        min_age=settings.min_age,
        max_age=settings.max_age,
        max_depth=settings.max_depth,
        ignore_file=settings.ignore_file,
        hidden=settings.hidden,
        symlinks=settings.symlinks,
        files_from=settings.files_from,
        null=settings.null,
        order=settings.order,
        shard=settings.shard,
    )


def transport_options(settings: Settings) -> TransportOptions:
    """Return the options of connections."""
    workers = max_workers(settings)
    return TransportOptions(
        workers,
        settings.connect_timeout,
        settings.idle_timeout,
        settings.ca_file,
        host_rules(settings),
        settings.sender,
        idle_connections=idle_connections(workers),
    )


def host_rules(settings: Settings) -> HostRules:
    """Return the rules for storage hosts. The embedded server of the run has none.

    Without an API, URLs come from this machine: from its user's settings or lists. Then a host may have any address.
    """
    if uses_embedded_server(settings):
        return HostRules()
    base_url = base_url_of(settings)
    return HostRules(settings.allowed_hosts, urlsplit(base_url).hostname if base_url is not None else None)


def local_token(config: ServerConfig) -> Secret:
    """Return the API token of a server with this configuration."""
    return Secret(config.token)
