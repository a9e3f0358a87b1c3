"""The settings of a command, from its options, the environment and the configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bulkup.config import ResolvedSettings, load
from bulkup.errors import MachineError, UsageError

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
