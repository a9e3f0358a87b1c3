"""`bulkup provider`: write the profile of a service, and try it with one file."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from bulkup.cli.output import print_line
from bulkup.cli.profile_file import add_profile, require_profile_name
from bulkup.cli.profile_template import profile_text
from bulkup.cli.quick_parameters import QuickCommand, QuickGroup
from bulkup.cli.run_settings import current_folder, load_settings
from bulkup.cli.shared_options import Config, Profile
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.config.provider_plugins import missing_extra, package_of, provider_names
from bulkup.errors import ExitCode
from bulkup.helpers import event_loop
from bulkup.reports.logs import configure_logging
from bulkup.reports.safe_text import printable

provider_app = typer.Typer(
    name="provider",
    cls=QuickGroup,
    help="List providers, describe a service for provider http, and try it with one file.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the profile.")]
Target = Annotated[
    str | None, typer.Option("--to", metavar="FILE", help="Add it to this TOML file instead of printing it.")
]
WithoutCall = Annotated[bool, typer.Option("--url", help="Of a service that takes files at a URL, without a call.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="The file to send.")]
Root = Annotated[
    str | None,
    typer.Option("--root", metavar="DIR", help="The folder that its {path} begins in. Left out, the profile's source."),
]


@provider_app.command("list", cls=QuickCommand)
def list_providers() -> None:
    """List the providers: those of bulkup, and those of other packages that are installed."""
    for name in provider_names():
        typer.echo(f"{name:<12} {_about(name)}".rstrip())


def _about(name: str) -> str:
    declared = PROVIDER_DECLARATIONS.get(name)
    if declared is None:
        return package_of(name)
    extra = missing_extra(name)
    return declared.about + ("" if extra is None else f" (without the extra bulkup[{extra.name}]: no {extra.adds})")


@provider_app.command("new", cls=QuickCommand)
def new_profile(name: Name = "vendor", to: Target = None, url: WithoutCall = False) -> None:
    """Write a commented profile that describes a service, to be filled in."""
    require_profile_name(name)
    text = profile_text(name, without_call=url)
    if to is None:
        typer.echo(text, nl=False)
        return
    add_profile(os.path.join(current_folder(), to), to, name, text)
    typer.echo(f"profile {name} was added to {printable(to)}")


@provider_app.command("try", cls=QuickCommand)
def try_file(file: File, root: Root = None, profile: Profile = None, config: Config = None) -> None:
    """Send one file, and show each step: request, answer, the ticket in it, bytes, closing call.

    Secrets are masked. Nothing is written to a journal.

    Exit codes: 0 the file is uploaded, 1 it is not, 2 wrong usage or configuration.
    """
    resolved = load_settings({}, profile, config)
    configure_logging(resolved.settings.log_format, "error")
    sys.exit(event_loop.run(_try, resolved, file, root))


async def _try(resolved: Any, file: str, root: str | None) -> int:
    from bulkup.api.provider_trial import Step, try_provider  # noqa: PLC0415  # it imports an HTTP client

    def show(step: Step) -> None:
        print_line(f"{step.title}")
        for line in step.lines:
            for part in line.splitlines():
                print_line(f"  {printable(part)}")

    done = await try_provider(
        resolved.settings, file, root=root, profile=resolved.profile, environ=os.environ, show=show
    )
    return int(ExitCode.OK if done else ExitCode.FILES_FAILED)
