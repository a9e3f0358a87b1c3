"""The addresses that follow from the settings: the service's root, and that of MetaStudio's identity service."""

from __future__ import annotations

from bulkup.config.provider_defaults import METASTUDIO, PROVIDERS, region_named_by
from bulkup.config.settings import Settings
from bulkup.errors import UsageError

_REGION = "cn-north-4"


def public_base_url(settings: Settings) -> str | None:
    """Return the root of the service's API: the one set, else the region's, else the provider's public one.

    None where there is no provider, or one that has no address of its own.
    """
    if settings.base_url is not None or settings.provider is None:
        return settings.base_url
    if settings.provider == METASTUDIO and settings.region is not None:
        return f"https://metastudio.{settings.region}.myhuaweicloud.com"
    return PROVIDERS[settings.provider].base_url


def region_of(settings: Settings) -> str:
    """Return MetaStudio's region: the one set, else the one that `base_url` names, else cn-north-4."""
    return settings.region or region_named_by(settings.base_url) or _REGION


def iam_base_url(settings: Settings) -> str | None:
    """Return the root of the identity service: the one set, else that of the region where the service's root is a
    public one, else the service's root itself, since a stand-in for one speaks for both.

    Raises UsageError where it is plain http and the service's root is not: a password would go in the clear.
    """
    base_url = public_base_url(settings)
    if (settings.iam_url or "").startswith("http:") and (base_url or "").startswith("https:"):
        what = f"iam_url: {settings.iam_url} is plain http, unlike base_url, which is {base_url}"
        raise UsageError(what, hint="name the identity service by https, too: passwords go to it")
    region = region_named_by(base_url)
    if settings.iam_url is not None or region is None:
        return settings.iam_url or base_url
    return f"https://iam.{region}.myhuaweicloud.com"
