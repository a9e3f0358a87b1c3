"""A run on a Dask cluster: what its settings must be, the connection, and the pipeline of the coordinator."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

from bulkup.api import composition
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.coordinator import ClusterPipeline
from bulkup.cluster.scheduler_address import check_encrypted, local_workers
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.session_setup import SessionSetup
from bulkup.cluster.worker_channel import Fleet
from bulkup.config import Settings, credential_references, workers_fetch_credentials
from bulkup.errors import UsageError
from bulkup.pipeline import PipelineOptions, Run
from bulkup.transport.clock_skew import ServiceClock
from bulkup.transport.rate_limit import RateLimiter

_MODULES = ("distributed", "cryptography")  # of the extra; the second makes the certificates of local:N


class ClusterAccess:
    """Connects to the workers of a run, and builds the pipeline of its coordinator.

    `connect` returns the connection, as a context manager. It raises `BulkupError` where there is none.
    """

    def __init__(
        self, connect: Callable[[], AbstractAsyncContextManager[Fleet]], options: ClusterOptions | None = None
    ) -> None:
        self.connect = connect
        self._options = options or ClusterOptions()

    def coordinator_options(self, options: PipelineOptions) -> PipelineOptions:
        """Return the options of the coordinator's stages: more files may be in flight than on one machine."""
        return dataclasses.replace(options, closing=options.closing + self._options.in_flight)

    def pipeline(
        self, settings: Settings, run: Run, options: PipelineOptions, fleet: Fleet, service_clock: ServiceClock
    ) -> ClusterPipeline:
        """Return the pipeline of the coordinator. `options` are those of each worker."""
        limit = composition.rate_limit(settings, run.provider)
        make_setup = self._setups(settings, run, options, limited=limit is not None)

        def note_skew(skew: float) -> None:
            service_clock.skew = skew

        call_wait = None if limit is None else RateLimiter(limit).wait
        return ClusterPipeline(run, fleet, make_setup, call_wait, note_skew, self._options)

    def _setups(
        self, settings: Settings, run: Run, options: PipelineOptions, *, limited: bool
    ) -> Callable[[int, str, tuple[str, ...]], SealedBody]:
        config = run.provider.config
        fetched_there = workers_fetch_credentials(settings)
        references = credential_references(settings, profile=None) if fetched_there else {}
        name = f"{socket.gethostname()}:{os.path.realpath(run.journal.path)}"
        journal = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]

        def make_setup(epoch: int, address: str, accepted: tuple[str, ...]) -> SealedBody:
            return SessionSetup(
                run=run.journal.run,
                epoch=epoch,
                journal=journal,
                address=address,
                provider=run.provider.name,
                base_url=config.base_url,
                credentials=config.credentials,
                references=references,
                values=config.settings,
                transport=composition.transport_options(settings),
                options=options,
                tunables=run.tunables,
                cluster=self._options,
                sources=tuple(run.sources),
                limited=limited,
                accepted=accepted,
            ).sealed()

        return make_setup


def cluster_access(settings: Settings) -> ClusterAccess:
    """Return the way to the cluster of the settings. It may block.

    Raises `UsageError` for settings that make no sense on a cluster, and where its extra is missing.
    """
    address = settings.cluster
    assert address is not None
    if any(importlib.util.find_spec(module) is None for module in _MODULES):
        raise UsageError("cluster needs the extra: pip install 'bulkup[cluster]'", hint="or leave out --cluster")
    if settings.processes not in ("auto", 1):
        hint = "start more workers instead; each sends with one process"
        raise UsageError("processes has no meaning with cluster", hint=hint)
    if settings.urls is not None:
        hint = "run it without --cluster, once for each part of the list"
        raise UsageError("a list of URLs (urls) cannot be used with cluster", hint=hint)
    if composition.uses_embedded_server(settings) and workers_fetch_credentials(settings):
        hint = "leave it out; the server's token is made for this run"
        raise UsageError("cluster_credentials cannot be workers with provider local", hint=hint)
    if local_workers(address) is None:
        if composition.uses_embedded_server(settings):
            hint = "use --cluster local:N, or start `bulkup serve` and name its address"
            raise UsageError("provider local has its server on this machine alone", hint=hint)
        check_encrypted(address, insecure=settings.cluster_insecure)
    return ClusterAccess(functools.partial(_connected, address, settings.connect_timeout))


@contextlib.asynccontextmanager
async def _connected(address: str, timeout: float) -> AsyncGenerator[Fleet, None]:
    """Connect to the scheduler, which `local:N` starts, and yield its workers. Raises `ClusterError`, `UsageError`."""
    from bulkup.cluster.dask_fleet import DaskFleet  # noqa: PLC0415  # it imports Dask
    from bulkup.cluster.local_cluster import local_cluster  # noqa: PLC0415  # the same

    async with contextlib.AsyncExitStack() as stack:
        workers, security = local_workers(address), None
        if workers is not None:
            address, security = await stack.enter_async_context(local_cluster(workers))
        fleet = DaskFleet(address, os.urandom(4).hex(), timeout, security)
        stack.push_async_callback(fleet.close)
        await fleet.connect()
        yield fleet
