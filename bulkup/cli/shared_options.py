"""Parameters that several commands declare themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bulkup.cli.setting_options import setting_option
from bulkup.config import ResolvedSettings, load
from bulkup.errors import MachineError

Profile = Annotated[str | None, typer.Option("--profile", "-p", metavar="NAME", help="Profile in the TOML file.")]
Config = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="The TOML file.")]
Json = Annotated[bool | None, setting_option("json")]
# Of the commands that read a journal: they need no credentials, so the help does not name them.
Provider = Annotated[str | None, setting_option("provider", help="magic-hour, move-ugc, metastudio, xvid or local.")]
JournalFile = Annotated[str | None, setting_option("journal")]
SourceId = Annotated[str | None, setting_option("source_id")]

CHOOSE = """no provider is chosen. One of:
  --provider local        an embedded server on this machine, for trials; needs no account
  --provider magic-hour   set BULKUP_TOKEN to the key
  --provider move-ugc     set BULKUP_API_KEY to the key
  --provider metastudio   set BULKUP_ACCESS_KEY and BULKUP_SECRET_KEY; name --project-id and --asset-id
  --provider xvid         set BULKUP_TOKEN to an access token; name --pipeline-id
  --profile NAME          a profile of bulkup.toml, see config.example.toml"""


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
