"""The settings of a command, from its options, the environment and the configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bulkup.config import ResolvedSettings, load
from bulkup.config.loading import load_notify
from bulkup.errors import BulkupError, MachineError, UsageError

CHOOSE = """no provider is chosen. One of:
  --provider local        an embedded server on this machine, for trials; needs no account
  --provider magic-hour   set BULKUP_TOKEN to the key
  --provider move-ugc     set BULKUP_API_KEY to the key
  --provider metastudio   set BULKUP_ACCESS_KEY and BULKUP_SECRET_KEY; name --project-id and --asset-id
  --provider xvid         set BULKUP_TOKEN to an access token; name --pipeline-id
  --provider git-lfs      name the LFS endpoint with --base-url; uses the login of netrc or git
  --provider s3           name --bucket; keys as for the AWS tools
  --provider http         any other service: `bulkup provider new` writes a profile that describes it
  --profile NAME          a profile of bulkup.toml, see config.example.toml"""


def load_run_settings(options: Mapping[str, Any], profile: str | None, config: str | None) -> ResolvedSettings:
    """Return the settings of a run, which needs a provider. Raises UsageError."""
    resolved = load_settings(options, profile, config)
    if resolved.settings.provider is None:
        raise UsageError(CHOOSE)
    return resolved


def load_upload_settings(options: Mapping[str, Any], profile: str | None, config: str | None) -> ResolvedSettings:
    """Return the settings of an upload. Raises UsageError, of which the profile's receivers are notified before."""
    try:
        return load_run_settings(options, profile, config)
    except BulkupError as error:
        found = load_notify(profile, config, os.environ, current_folder())
        if found is not None:
            from bulkup.cli.run_notifier import notify_of_error  # noqa: PLC0415  # seldom needed, and it imports anyio
            from bulkup.helpers import event_loop  # noqa: PLC0415  # the same
            from bulkup.reports.logs import configure_logging  # noqa: PLC0415  # the same

            configure_logging()
            event_loop.run(notify_of_error, found, error)
        raise


def load_settings(options: Mapping[str, Any], profile: str | None, config: str | None) -> ResolvedSettings:
    """Return the settings from options, environment and profile. Raises UsageError."""
    return load(options, profile=profile, config_file=config, environ=os.environ, cwd=current_folder())


def current_folder() -> str:
    """Return the current directory. If it was deleted, only absolute paths can be used, so return its former path."""
    try:
        return os.getcwd()
    except OSError as error:
        former = os.environ.get("PWD", "")
        if os.path.isabs(former):
            return former
        raise MachineError(f"the current directory cannot be used: {error.strerror}") from error
