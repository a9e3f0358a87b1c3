"""The settings of a run, from options, environment and TOML file, as one checked value.

This package declares the settings, checks their values and remembers the origin of each. It also fetches secrets, and
derives paths (journal, store) and service URLs from the settings. It contains no network calls, no journal, no
scanning, no option parsing and no output.

A *setting* is the name that users write (`json`). A *field* is the attribute of `Settings` that holds its value
(`json_output`). `declaration` describes how a setting is declared, `catalogue` lists all of them.

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
    from bulkup.config.paths import (
        claimed_journal,
        inside_any,
        journal_path,
        outside_sources,
        source_id_path,
        store_path,
    )
    from bulkup.config.profile_check import CheckedProfiles, check_profiles
    from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS, ProviderDeclaration
    from bulkup.config.requirements import (
        credential_references,
        require_credentials,
        require_one_directory,
        require_one_reader,
        require_one_source,
        require_provider,
        require_settings,
        workers_fetch_credentials,
    )
    from bulkup.config.secret_source import SecretSource
    from bulkup.config.service_urls import iam_base_url, public_base_url, region_settings, with_region
    from bulkup.config.settings import Settings
    from bulkup.config.shard_journals import require_same_shards

__all__ = [
    "PROVIDER_DECLARATIONS",
    "Asset",
    "AssetRule",
    "CheckedProfiles",
    "Complaint",
    "Expiry",
    "ProviderDeclaration",
    "ResolvedSettings",
    "SecretSource",
    "Settings",
    "SettingsError",
    "check_profiles",
    "claimed_journal",
    "credential_references",
    "iam_base_url",
    "inside_any",
    "journal_path",
    "load",
    "load_asset_map",
    "outside_sources",
    "public_base_url",
    "region_settings",
    "require_credentials",
    "require_one_directory",
    "require_one_reader",
    "require_one_source",
    "require_provider",
    "require_same_shards",
    "require_settings",
    "source_id_path",
    "store_path",
    "with_region",
    "workers_fetch_credentials",
]

_HOMES = {
    "bulkup.config.service_urls": ("iam_base_url", "public_base_url", "region_settings", "with_region"),
    "bulkup.config.asset_map": ("load_asset_map",),
    "bulkup.config.assets": ("Asset", "AssetRule"),
    "bulkup.config.profile_check": ("CheckedProfiles", "check_profiles"),
    "bulkup.config.complaints": ("Complaint", "SettingsError"),
    "bulkup.config.expiry": ("Expiry",),
    "bulkup.config.loading": ("ResolvedSettings", "load"),
    "bulkup.config.paths": (
        "claimed_journal",
        "inside_any",
        "journal_path",
        "outside_sources",
        "source_id_path",
        "store_path",
    ),
    "bulkup.config.provider_declarations": ("PROVIDER_DECLARATIONS", "ProviderDeclaration"),
    "bulkup.config.requirements": (
        "credential_references",
        "require_credentials",
        "require_one_directory",
        "require_one_reader",
        "require_one_source",
        "require_provider",
        "require_settings",
        "workers_fetch_credentials",
    ),
    "bulkup.config.secret_source": ("SecretSource",),
    "bulkup.config.settings": ("Settings",),
    "bulkup.config.shard_journals": ("require_same_shards",),
}

# A sending process imports providers, which need parts of this package, but never the settings.
__getattr__ = lazy_attributes(__name__, _HOMES)
