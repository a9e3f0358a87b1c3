"""Parameters that several commands declare themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from bulkup.cli.completion import profiles
from bulkup.cli.setting_options import setting_option

Profile = Annotated[
    str | None,
    typer.Option("--profile", "-p", metavar="NAME", help="Profile in the TOML file.", autocompletion=profiles),
]
Config = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="The TOML file.")]
Json = Annotated[bool | None, setting_option("json")]
# Of the commands that read a journal: they need no credentials, so the help does not name them.
_PROVIDERS = "magic-hour, move-ugc, metastudio, xvid, s3, git-lfs, http or local."
Provider = Annotated[str | None, setting_option("provider", help=_PROVIDERS)]
JournalFile = Annotated[str | None, setting_option("journal")]
ShardOfRun = Annotated[str | None, setting_option("shard", help="Shard K of N, e.g. 2/4.")]
SourceId = Annotated[str | None, setting_option("source_id")]
