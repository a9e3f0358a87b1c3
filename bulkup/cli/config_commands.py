"""`bulkup config`: show the settings with their origins, and check the profiles."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkup.api import place_conflicts
from bulkup.cli.completion import profiles
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.quick_parameters import QuickCommand, QuickGroup
from bulkup.cli.run_outputs import check_outputs
from bulkup.cli.run_settings import current_folder
from bulkup.config import ResolvedSettings, Settings, check_profiles, load, public_base_url
from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import HTTP, METASTUDIO, S3, XVID
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import BulkupError, MachineError, ServiceError, UsageError
from bulkup.helpers import event_loop
from bulkup.reports.exit_code import PRECEDENCE
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable, printable_path
from bulkup.reports.setting_values import value_lines

config_app = typer.Typer(
    name="config",
    cls=QuickGroup,
    help="Write, show and check the settings.",
    no_args_is_help=True,
    add_completion=False,
)

Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="The profile to use.", autocompletion=profiles)
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The TOML file; default: ./bulkup.toml, else the one in the user's config folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
RunCommands = Annotated[
    bool,
    typer.Option("--run-commands", help="Fetch secrets given as command:ARGV too."),
]
Online = Annotated[
    bool,
    typer.Option(
        "--online",
        help="Make one call to each service too. Where a service creates an id with each URL, one stays unused.",
    ),
]

_SHOWN_CONFLICTS = 20
PLACE_HINTS = {
    METASTUDIO: "change asset_file_category, or the assets' rules and map, so that no asset has two MAIN files; "
    "rename files in one asset whose names differ only by case, or name them in the map",
    XVID: "change object_key so that each file has a key of its own",
    S3: "change key so that each file has a key of its own",
    HTTP: "change url in the table http so that each file has a URL of its own",
}


@config_app.command(cls=QuickCommand)
def show(profile: Profile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every setting with its value and where it comes from. Secrets are masked and no command is run."""
    resolved = load({}, profile=profile, config_file=config, environ=os.environ, cwd=current_folder())
    if as_json:
        typer.echo(dumps(_as_object(resolved)))
    else:
        Console().print(_as_table(resolved))
    _warn(resolved.warnings)


@config_app.command("example", cls=QuickCommand)
def print_example() -> None:
    """Print config.example.toml: example profiles, and every setting with its default."""
    text = Path(__file__).with_name("config.example.toml").read_text(encoding="utf-8")
    with closed_output_is_success():
        sys.stdout.write(text)


@config_app.command("init", cls=QuickCommand)
def init_profile(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The name of the profile.")] = None,
    config: ConfigFile = None,
    provider: Annotated[str | None, typer.Option("--provider", metavar="NAME", help="The service.")] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="DIR", help="What to upload; may be repeated.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another setting, such as token=env:NAME; may be repeated."),
    ] = None,
    ask: Annotated[
        bool | None, typer.Option("--ask/--no-ask", help="Ask for what is missing; default: on a terminal.")
    ] = None,
) -> None:
    """Write a profile: ask for the settings of the service, and check the result.

    Example: bulkup config init nightly --provider magic-hour --source /data/media --set token=env:KEY --no-ask
    """
    from bulkup.cli.config_init import given_answers, has_terminal, init  # noqa: PLC0415  # few commands ask

    cwd = current_folder()
    answers = given_answers(provider, source or (), settings or (), cwd)
    init(name, config, answers, cwd, ask=has_terminal() if ask is None else ask)


@config_app.command("check", cls=QuickCommand)
def check_config(
    profile: Profile = None,
    config: ConfigFile = None,
    run_commands: RunCommands = False,
    online: Online = False,
) -> None:
    """Check all profiles, or the one named: settings, secrets, sources, files to write, and conflicts between names.

    With --online, also make one call to each service: it proves the address, the credentials and the clock.

    Exit codes: 0 all is fine, 2 a profile is wrong, 4 a service refused or cannot be used.
    """
    checked = check_profiles(
        profile=profile,
        config_file=config,
        environ=os.environ,
        cwd=current_folder(),
        run_commands=run_commands,
    )
    _warn(checked.warnings)
    _check_outputs(checked.profiles, config)
    _check_places(checked.profiles, config)
    if online:
        _check_online(checked.profiles, config)
    count = len(checked.profiles)
    typer.echo("1 profile is fine" if count == 1 else f"{count} profiles are fine")


def _check_online(profiles: Sequence[str], config: str | None) -> None:
    """Make one round trip for each profile, and print its findings.

    Raises `BulkupError` if one fails. Of several failures all are reported, and the worst is raised.
    """
    from bulkup.api.online_check import check_online  # noqa: PLC0415  # it imports an HTTP client

    failures = list[BulkupError]()
    for profile in profiles:
        try:
            settings = load({}, profile=profile, config_file=config, environ=os.environ, cwd=current_folder()).settings
            run = functools.partial(check_online, settings, profile=profile, environ=os.environ)
            for line in event_loop.run(run):
                typer.echo(f"{profile}: {printable(line)}")
        except BulkupError as error:
            if len(profiles) == 1:
                raise
            failures.append(error)
            typer.echo(f"{profile}: {printable(error.message)}" + (f"; {printable(error.hint)}" if error.hint else ""))
    if failures:
        worst = min(failures, key=lambda error: PRECEDENCE.index(error.exit_code))
        kind = next((kind for kind in (UsageError, ServiceError) if isinstance(worst, kind)), MachineError)
        raise kind(f"{len(failures)} of {len(profiles)} profiles failed, as shown above") from worst


def _check_outputs(profiles: Sequence[str], config: str | None) -> None:
    """Raise UsageError for a log file, metrics or a report that a run of a profile could not write."""
    for profile in profiles:
        resolved = load({}, profile=profile, config_file=config, environ=os.environ, cwd=current_folder())
        try:
            check_outputs(resolved)
        except UsageError as error:
            raise UsageError(f"profile {profile}: {error.message}", hint=error.hint) from error


def _check_places(profiles: Sequence[str], config: str | None) -> None:
    """Raise UsageError with the files of all profiles that are mapped to the same place as another file."""
    messages: list[str] = []
    hints: dict[str, None] = {}  # without duplicates, in order
    for profile in profiles:
        resolved = load({}, profile=profile, config_file=config, environ=os.environ, cwd=current_folder())
        settings = resolved.settings
        if settings.provider is None or not settings.source:
            continue
        if lines := _conflicts(settings, profile, resolved.config_file):
            messages.append("\n  ".join([f"profile {profile}: files that are mapped to the same place:", *lines]))
            hints[PLACE_HINTS[settings.provider]] = None
    if messages:
        raise UsageError("\n".join(messages), hint="; ".join(hints))


def _conflicts(settings: Settings, profile: str, config_file: str | None) -> list[str]:
    """Return the files mapped to the same place as another file; the first 20 are listed, the others counted."""
    found = place_conflicts(settings, profile=profile, config_file=config_file, environ=os.environ)
    shown = [f"{printable_path(entry.path)}: {entry.reason}" for entry in itertools.islice(found, _SHOWN_CONFLICTS)]
    more = sum(1 for _ in found)
    return [*shown, f"... and {more} more"] if more else shown


def _rows(resolved: ResolvedSettings) -> Iterator[tuple[str, Any, str]]:
    """Yield name, value and origin. For the base URL, the provider's own is the value if none is set."""
    values: Mapping[str, Any] = resolved.settings.model_dump(mode="json")
    for name, setting in SETTINGS.items():
        value, origin = values[setting.field], resolved.origins[name]
        if name == "base_url":
            value = public_base_url(resolved.settings)
        yield name, value, escape_surrogates(origin)


def _as_object(resolved: ResolvedSettings) -> Mapping[str, Any]:
    rows = {name: {"value": value, "origin": origin} for name, value, origin in _rows(resolved)}
    file = resolved.config_file
    return {"profile": resolved.profile, "config_file": file and escape_surrogates(file), "settings": rows}


def _as_table(resolved: ResolvedSettings) -> Table:
    table = Table("setting", "value", "origin")
    for name, value, origin in _rows(resolved):
        # `Text` shows its content unchanged; a plain cell would take "[...]" in a pattern for markup.
        shown = "\n".join(map(printable, value_lines(value)))
        table.add_row(name, Text(shown, overflow="fold"), Text(printable(origin), overflow="fold"))
    return table


def _warn(warnings: tuple[str, ...]) -> None:
    """Print warnings to standard error, so that standard output has only the result."""
    for warning in warnings:
        typer.echo(f"warning: {printable(warning)}", err=True)
