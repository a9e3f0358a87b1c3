"""Options that several commands share, declared once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bulkup.config import Resolved, load

Profile = Annotated[str | None, typer.Option("--profile", "-p", metavar="NAME", help="Profile of the TOML file.")]
Config = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="The TOML file.")]
Provider = Annotated[str | None, typer.Option(metavar="NAME", help="magic-hour, move-ugc, metastudio, xvid or local.")]
JournalFile = Annotated[str | None, typer.Option("--journal", metavar="FILE", help="The journal of the runs.")]
SourceId = Annotated[
    str | None, typer.Option("--source-id", metavar="NAME", help="A name for the source, in place of its path.")
]
Json = Annotated[bool | None, typer.Option("--json", help="One JSON object a line on standard output.")]


def resolved(options: Mapping[str, Any], profile: str | None, config: str | None) -> Resolved:
    """Return the settings that these options, the environment and the profile come to. Raises `UsageError`."""
    return load(options, profile=profile, config_file=config, environ=os.environ, cwd=os.getcwd())
