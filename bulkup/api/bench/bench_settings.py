"""The settings of a bench: those of the user without what speaks of his own files, and checked beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.api import composition
from bulkup.api.bench.generated_files import EXTENSION
from bulkup.config import Settings, require_provider
from bulkup.config.requirements import credential_names
from bulkup.config.selection import Selection
from bulkup.errors import UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.providers import FileSpec, Provider
from bulkup.reports.bench_trials import Choice

_MOST_FAILURES = 10
_PATIENCE = 120.0  # seconds; an outage of longer spoils the figures anyway
# A place of its own, whatever the profile says: nothing of the user's is overwritten, and what is left stands out.
_OBJECT_KEY = "bulkup-bench/{path}"


def check_bench(
    settings: Settings, sizes: Sequence[int], *, profile: str | None, clock: Clock | None = None
) -> Provider:
    """Return the provider of a bench with files of these sizes, made without its credentials, which are not fetched.

    Raises `UsageError` where something is missing or not good.
    """
    settings = bench_settings(settings)
    require_provider(settings)
    values = composition.provider_settings(settings, ())
    credential_names(settings, profile=profile)
    base_url = "" if composition.uses_embedded_server(settings) else composition.public_base_url(settings)
    provider = composition.build_provider(settings, base_url, {}, values, clock or SystemClock())
    for size in sizes:
        spec = FileSpec(f"bench.{EXTENSION}", f"bench.{EXTENSION}", EXTENSION, size)
        if (rejection := provider.reject(spec)) is not None:
            raise UsageError(f"{provider.name} takes no such file: {rejection.reason}", hint="give another --size")
    return provider


def bench_settings(settings: Settings) -> Settings:
    """Return the settings without all that speaks of the user's own files and nights."""
    of_files = {name: field.default for name, field in Selection.model_fields.items()}
    of_places = {
        "source_id": None,
        "assets": (),
        "asset_map": None,
        "asset_file_category": "OTHER",
        "object_key": _OBJECT_KEY,
    }
    of_nights = {"max_duration": None, "max_failures": _MOST_FAILURES, "wait": False}
    patience = {"retry_for": min(settings.retry_for, _PATIENCE)}
    return settings.model_copy(update={**of_files, **of_places, **of_nights, **patience})


def bench_choice(settings: Settings, provider: Provider) -> Choice:
    """Return the settings that trials vary, as they stand."""
    options = composition.pipeline_options(settings, provider)
    return Choice(settings.concurrency, options.batch_size, options.calls_in_flight)
