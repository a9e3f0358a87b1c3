"""The provider of a remote service for commands that are no run: with its settings, lists and credentials."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import anyio.to_thread

from bulkup.api import composition
from bulkup.config import Settings, require_credentials, require_provider, with_region
from bulkup.helpers.clock import Clock
from bulkup.model.files import Source
from bulkup.providers import Provider


async def remote_provider(
    settings: Settings,
    profile: str | None,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    sources: Sequence[Source] | None = None,
    service_time: Callable[[], float] | None = None,
) -> Provider:
    """Return the provider, which the caller closes. Secrets and lists are read in threads, because both may block.

    Without `sources`, they are resolved only where a list names their files. `service_time` returns the service's
    Unix time; without it, that of `clock` is used. Raises `BulkupError` for unusable settings.
    """
    require_provider(settings)
    settings, in_thread = with_region(settings, environ), anyio.to_thread.run_sync
    if sources is None:
        lists = settings.asset_map is not None or settings.urls is not None
        sources = await in_thread(composition.resolve_sources, settings) if lists else ()
    values = await in_thread(composition.provider_settings, settings, sources)
    secrets = await in_thread(functools.partial(require_credentials, settings, environ, profile=profile))
    base_url = composition.public_base_url(settings)
    composition.check_proxy(base_url)
    return composition.build_provider(settings, base_url, secrets, values, clock, service_time)
