"""The URLs derived from the settings: the root of the service, and that of MetaStudio's identity service."""

from __future__ import annotations

from bulkup.config.provider_defaults import METASTUDIO, PROVIDERS, region_named_by
from bulkup.config.settings import Settings
from bulkup.errors import UsageError

_REGION = "cn-north-4"


def public_base_url(settings: Settings) -> str | None:
    """Return the root of the service's API: the one set, else that of the region, else the provider's public one.

    Return None without a provider, and for a provider without a public address.
    """
    if settings.base_url is not None or settings.provider is None:
        return settings.base_url
    if settings.provider == METASTUDIO and settings.region is not None:
        return f"https://metastudio.{settings.region}.myhuaweicloud.com"
    return PROVIDERS[settings.provider].base_url


def region_of(settings: Settings) -> str:
    """Return MetaStudio's region: the one set, else the one in `base_url`, else cn-north-4."""
    return settings.region or region_named_by(settings.base_url) or _REGION


def iam_base_url(settings: Settings) -> str | None:
    """Return the root of the identity service.

    It is the one set. Else, if the service's root is a public address, it is that of the same region. Else it is the
    service's root itself, because a test server plays both parts.

    Raises UsageError if it is plain http and the service's root is not: a password would be sent unencrypted.
    """
    base_url = public_base_url(settings)
    if (settings.iam_url or "").startswith("http:") and (base_url or "").startswith("https:"):
        what = f"iam_url: {settings.iam_url} is plain http, unlike base_url, which is {base_url}"
        raise UsageError(what, hint="use https for the identity service too: it receives passwords")
    region = region_named_by(base_url)
    if settings.iam_url is not None or region is None:
        return settings.iam_url or base_url
    return f"https://iam.{region}.myhuaweicloud.com"
