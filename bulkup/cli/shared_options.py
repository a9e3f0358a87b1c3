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

CHOOSE = """no provider is chosen. One of:
  --provider local        an embedded server on this machine, to try things out; needs nothing
  --provider magic-hour   set BULKUP_TOKEN to the key
  --provider move-ugc     set BULKUP_API_KEY to the key
  --provider metastudio   set BULKUP_ACCESS_KEY and BULKUP_SECRET_KEY; name --project-id and --asset-id
  --provider xvid         set BULKUP_TOKEN to an access token; name --pipeline-id
  --profile NAME          a profile of bulkup.toml, see config.example.toml"""

ProviderOfRun = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="magic-hour (needs BULKUP_TOKEN), move-ugc (BULKUP_API_KEY), metastudio (BULKUP_ACCESS_KEY, "
        "BULKUP_SECRET_KEY), xvid (BULKUP_TOKEN) or local.",
    ),
]
BaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="The service's root, if not its public one.")]
CaFile = Annotated[str | None, typer.Option(metavar="FILE", help="PEM certificates of a private authority.")]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option("--allowed-hosts", metavar="HOST", help="A host that upload URLs may lead to; may be repeated."),
]


def service_option(*names: str, text: str, metavar: str | None = None) -> Any:
    """Return an option that stands under the services' heading in the help."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel="Services")


Region = Annotated[
    str | None, service_option("--region", metavar="NAME", text="metastudio: cn-north-4, cn-east-3 or ap-southeast-3.")
]
ProjectId = Annotated[
    str | None, service_option("--project-id", metavar="ID", text="metastudio: the project; it needs one.")
]
AssetId = Annotated[
    str | None, service_option("--asset-id", metavar="ID", text="metastudio: the asset that files belong to.")
]
AppUserId = Annotated[
    str | None, service_option("--app-user-id", metavar="ID", text="metastudio: the user of your application.")
]
IamUrl = Annotated[
    str | None,
    service_option("--iam-url", metavar="URL", text="metastudio: the identity service, if not the public one."),
]
PipelineId = Annotated[
    str | None, service_option("--pipeline-id", metavar="ID", text="xvid: the pipeline; it needs one.")
]
ExpiresAt = Annotated[
    str | None,
    service_option("--expires-at", metavar="WHEN", text="xvid: when unused uploads go, e.g. 30d, or 0 for never."),
]
Confirm = Annotated[
    bool | None,
    service_option("--confirm/--no-confirm", text="metastudio, xvid: make the call that closes an upload."),
]


def resolved(options: Mapping[str, Any], profile: str | None, config: str | None) -> Resolved:
    """Return the settings that these options, the environment and the profile come to. Raises `UsageError`."""
    return load(options, profile=profile, config_file=config, environ=os.environ, cwd=os.getcwd())
