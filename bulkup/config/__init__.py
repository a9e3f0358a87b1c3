"""What the user asked for, from options, environment and TOML file, as one checked value.

Here belongs: which settings exist, what each may hold and means, where its value came from, where secrets are
fetched, and which paths follow from the settings (journal, store). Nothing here belongs that acts on them: no
network, no journal, no scanning, no option parsing, no output. Names: a *setting* is what users write
(`json`), a *field* is the attribute of `Settings` that holds it (`json_output`); `names` is the only module
that translates.

    options, BULKUP_* and a profile --layers--> raw values with origins --loading--> Settings, in a ResolvedSettings
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.helpers.lazy_import import lazy_attributes

if TYPE_CHECKING:
    from bulkup.config.asset_map import load_asset_map
    from bulkup.config.assets import Asset, AssetRule
    from bulkup.config.complaints import Complaint, SettingsError
    from bulkup.config.expiry import Expiry
    from bulkup.config.loading import ResolvedSettings, load
    from bulkup.config.paths import inside_any, journal_path, source_id_path, store_path
    from bulkup.config.profile_check import CheckedProfiles, check_profiles
    from bulkup.config.provider_defaults import PROVIDERS, ProviderDefaults
    from bulkup.config.requirements import (
        require_credentials,
        require_one_directory,
        require_one_source,
        require_provider,
        require_settings,
    )
    from bulkup.config.secret_source import SecretSource
    from bulkup.config.service_urls import iam_base_url, public_base_url, region_of
    from bulkup.config.settings import Settings

__all__ = [
    "PROVIDERS",
    "Asset",
    "AssetRule",
    "CheckedProfiles",
    "Complaint",
    "Expiry",
    "ProviderDefaults",
    "ResolvedSettings",
    "SecretSource",
    "Settings",
    "SettingsError",
    "check_profiles",
    "iam_base_url",
    "inside_any",
    "journal_path",
    "load",
    "load_asset_map",
    "public_base_url",
    "region_of",
    "require_credentials",
    "require_one_directory",
    "require_one_source",
    "require_provider",
    "require_settings",
    "source_id_path",
    "store_path",
]

_HOMES = {
    "bulkup.config.service_urls": ("iam_base_url", "public_base_url", "region_of"),
    "bulkup.config.asset_map": ("load_asset_map",),
    "bulkup.config.assets": ("Asset", "AssetRule"),
    "bulkup.config.profile_check": ("CheckedProfiles", "check_profiles"),
    "bulkup.config.complaints": ("Complaint", "SettingsError"),
    "bulkup.config.expiry": ("Expiry",),
    "bulkup.config.loading": ("ResolvedSettings", "load"),
    "bulkup.config.paths": ("inside_any", "journal_path", "source_id_path", "store_path"),
    "bulkup.config.provider_defaults": ("PROVIDERS", "ProviderDefaults"),
    "bulkup.config.requirements": (
        "require_credentials",
        "require_one_directory",
        "require_one_source",
        "require_provider",
        "require_settings",
    ),
    "bulkup.config.secret_source": ("SecretSource",),
    "bulkup.config.settings": ("Settings",),
}

# A sending process knows providers, and has no use for settings.
__getattr__ = lazy_attributes(__name__, _HOMES)
