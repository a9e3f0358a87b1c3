"""The declarations of the providers: name, public address, credentials and settings of each.

A new provider is declared here. Its adapter is in `bulkup.providers`, which configuration may not import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderDefaults:
    """The public address of one service, and the settings that it reads.

    `base_url` is its public root, None if there is none. `credentials` are sets of secrets, of which one set is enough,
    the preferred one first. `optional_secrets` belong to the first set. `settings` are the other settings that the
    provider reads. It needs all of `required`, and at least one of each tuple in `any_of`. With `places`, two files
    may be mapped to the same place at the service, which a scan of the whole tree detects.
    """

    base_url: str | None
    credentials: tuple[tuple[str, ...], ...] = ((),)
    optional_secrets: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    places: bool = False


LOCAL = "local"  # the embedded server, started for the run on its own port
METASTUDIO = "metastudio"
XVID = "xvid"

PROVIDERS: Mapping[str, ProviderDefaults] = {
    "magic-hour": ProviderDefaults("https://api.magichour.ai", (("token",),)),
    "move-ugc": ProviderDefaults("https://api.move.ai", (("api_key",),)),
    METASTUDIO: ProviderDefaults(
        "https://metastudio.cn-north-4.myhuaweicloud.com",
        (("access_key", "secret_key"), ("auth_token",), ("iam_user", "iam_domain", "iam_password")),
        optional_secrets=("security_token",),
        settings=(
            "region",
            "project_id",
            "asset_id",
            "asset_file_category",
            "assets",
            "asset_map",
            "app_user_id",
            "iam_url",
            "confirm",
        ),
        required=("project_id",),
        any_of=(("asset_id", "assets", "asset_map"),),
        places=True,
    ),
    XVID: ProviderDefaults(
        "https://api.xvid.com",
        (("token",), ("client_id", "client_secret")),
        settings=("pipeline_id", "object_key", "expires_at", "confirm"),
        required=("pipeline_id",),
        places=True,
    ),
    LOCAL: ProviderDefaults(None),
}

_METASTUDIO_HOST = re.compile(r"https?://metastudio\.([a-z0-9-]+)\.myhuaweicloud\.com(?:[:/].*)?")


def region_named_by(base_url: str | None) -> str | None:
    """Return the region in a public address of MetaStudio, None for any other address."""
    match = _METASTUDIO_HOST.fullmatch(base_url or "")
    return match[1] if match else None
