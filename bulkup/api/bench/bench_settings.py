"""The settings of a bench: the user's settings without those about the user's own files. They are checked first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bulkup.api import composition
from bulkup.api.bench.generated_files import EXTENSION, with_extension
from bulkup.config import Settings, require_provider
from bulkup.config.provider_declarations import URLS
from bulkup.config.requirements import credential_names
from bulkup.config.selection import Selection
from bulkup.errors import UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.providers import FileSpec, Provider
from bulkup.reports.bench_trials import Choice

_MAX_FAILURES = 10
_MAX_RETRY_FOR = 120.0  # seconds; figures with a longer outage would be useless
# A separate folder, whichever profile is used: no object of the user is overwritten, and remaining objects are easy to
# find.
_OBJECT_KEY = "bulkup-bench/{path}"


def check_bench(
    settings: Settings, sizes: Sequence[int], *, profile: str | None, clock: Clock | None = None
) -> Provider:
    """Check a bench with files of these sizes, and return its provider. Credentials are not fetched.

    Raises `UsageError` for missing or invalid settings.
    """
    settings = bench_settings(settings)
    require_provider(settings)
    if settings.provider == URLS:
        raise UsageError("a bench needs a service that issues upload URLs, and the provider is urls")
    values = composition.provider_settings(settings, ())
    credential_names(settings, profile=profile)
    base_url = "" if composition.uses_embedded_server(settings) else composition.public_base_url(settings)
    provider = composition.build_provider(settings, base_url, {}, values, clock or SystemClock())
    extension = bench_extension(provider)
    name = with_extension("bench", extension)
    for size in sizes:
        spec = FileSpec(name, name, extension, size)
        if (rejection := provider.reject(spec)) is not None:
            raise UsageError(f"{provider.name} rejects such a file: {rejection.reason}", hint="give another --size")
    return provider


def bench_extension(provider: Provider) -> str:
    """Return the extension of the generated files: the usual one, or one that the service accepts."""
    accepted = provider.capabilities.extensions
    return EXTENSION if accepted is None or EXTENSION in accepted else min(accepted)


def bench_settings(settings: Settings) -> Settings:
    """Return the settings without those about the user's own files and scheduled runs."""
    selection = {name: field.default for name, field in Selection.model_fields.items()}
    places: dict[str, Any] = {
        "source_id": None,
        "assets": (),
        "asset_map": None,
        "asset_file_category": "OTHER",
        "asset_type": None,
        "extensions": {},
        "object_key": _OBJECT_KEY,
    }
    limits: dict[str, Any] = dict.fromkeys(("max_duration", "until", "max_files", "max_bytes"))
    limits |= {"max_failures": _MAX_FAILURES, "wait": False, "count": False}
    retries = {"retry_for": min(settings.retry_for, _MAX_RETRY_FOR)}
    return settings.model_copy(update={**selection, **places, **limits, **retries})


def bench_choice(settings: Settings, provider: Provider) -> Choice:
    """Return the current values of the settings that trials vary."""
    options = composition.pipeline_options(settings, provider, composition.scan_options(settings))
    return Choice(settings.concurrency, options.batch_size, options.calls_in_flight)
