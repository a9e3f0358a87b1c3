"""The URLs derived from the settings: the root of the service, and that of the identity service of its region."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.config.checked_model import ValidationError
from bulkup.config.provider_declarations import Regions
from bulkup.config.provider_plugins import declaration_of
from bulkup.config.settings import Settings
from bulkup.errors import UsageError


def public_base_url(settings: Settings) -> str | None:
    """Return the root of the service's API: the one set, else that of the region, else the provider's public one.

    Of a described service without a presign call it is the root of its URLs. Return None without a provider, and for a
    provider without a public address.
    """
    if settings.base_url is not None or settings.provider is None:
        return settings.base_url
    declared = declaration_of(settings.provider)
    if declared.described and settings.http is not None:
        return settings.http.storage_root
    if declared.regions is not None and settings.region is not None:
        return declared.regions.service.format(region=settings.region)
    return declared.base_url


def region_variable(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """Return the variable of the service's own tools that names the region, None where none counts.

    A region that is set, or that `base_url` names, comes first.
    """
    if settings.provider is None or settings.region is not None:
        return None
    regions = declaration_of(settings.provider).regions
    if regions is None or regions.named_by(settings.base_url) is not None:
        return None
    return next((name for name in regions.variables if environ.get(name)), None)


def with_region(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the region that such a variable names, if one counts. Raises UsageError."""
    variable = region_variable(settings, environ)
    if variable is None:
        return settings
    try:
        region = Settings(region=environ[variable]).region
    except ValidationError:
        raise UsageError(f"{variable} is not the name of a region", hint="correct it, or set region") from None
    return settings.model_copy(update={"region": region})


def region_settings(settings: Settings, regions: Regions) -> dict[str, str | None]:
    """Return the settings `region` and `iam_url` of a service that has regions. Raises UsageError as `iam_base_url`.

    The region is the one set, else the one in `base_url`, else the service's default.
    """
    region = settings.region or regions.named_by(settings.base_url) or regions.default
    return {"region": region, "iam_url": iam_base_url(settings, regions)}


def iam_base_url(settings: Settings, regions: Regions) -> str | None:
    """Return the root of the identity service.

    It is the one set. Else, if the service's root is a public address, it is that of the same region. Else it is the
    service's root itself, because a test server plays both parts.

    Raises UsageError if it is plain http and the service's root is not: a password would be sent unencrypted.
    """
    if regions.identity is None:
        return None
    base_url = public_base_url(settings)
    if (settings.iam_url or "").startswith("http:") and (base_url or "").startswith("https:"):
        what = f"iam_url: {settings.iam_url} is plain http, unlike base_url, which is {base_url}"
        raise UsageError(what, hint="use https for the identity service too: it receives passwords")
    region = regions.named_by(base_url)
    if settings.iam_url is not None or region is None:
        return settings.iam_url or base_url
    return regions.identity.format(region=region)
