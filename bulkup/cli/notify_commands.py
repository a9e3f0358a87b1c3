"""`bulkup notify`: send a test message to the receivers of a profile."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

from bulkup.cli.quick_parameters import QuickCommand, QuickGroup
from bulkup.cli.run_settings import load_settings
from bulkup.cli.shared_options import Config, Profile
from bulkup.config import ResolvedSettings
from bulkup.errors import ExitCode, UsageError
from bulkup.helpers import event_loop
from bulkup.reports.logs import configure_logging
from bulkup.reports.safe_text import printable

notify_app = typer.Typer(
    cls=QuickGroup,
    name="notify",
    help="Send a test message to those who are notified of runs.",
    no_args_is_help=True,
    add_completion=False,
)

As = Annotated[str, typer.Option("--as", metavar="success|failure", help="The end of a run that the message is about.")]


@notify_app.callback()
def _notify() -> None:
    """Send a test message to those who are notified of runs."""


@notify_app.command("test", cls=QuickCommand)
def send_test(profile: Profile = None, config: Config = None, moment: As = "success") -> None:
    """Send a test message to the receivers of a profile, and run its command.

    Exit codes: 0 all of them have taken it, 1 some have not, 2 wrong usage or configuration.
    """
    if moment not in ("success", "failure"):
        raise UsageError(f"--as: expected success or failure, not {printable(moment)}")
    resolved = load_settings({}, profile, config)
    if resolved.settings.notify is None:
        hint = "write a table [profiles.NAME.notify], and name the profile with --profile"
        raise UsageError("there are no notifications to test: the settings have no table notify", hint=hint)
    configure_logging(resolved.settings.log_format, "error")
    sys.exit(event_loop.run(_test, resolved, "success" if moment == "success" else "failure"))


async def _test(resolved: ResolvedSettings, moment: Literal["success", "failure"]) -> int:
    from bulkup.api.notify.notifier import Notifier  # noqa: PLC0415  # it imports an HTTP client

    async with Notifier(resolved.settings, profile=resolved.profile, environ=os.environ) as notifier:
        deliveries = await notifier.test(moment)
    for key, error in deliveries:
        typer.echo(f"{key}: delivered" if error is None else f"{key}: not delivered: {printable(error)}")
    if not deliveries:
        typer.echo(f"no receiver is set for the notification of a {moment}")
    return int(ExitCode.FILES_FAILED if any(error for _, error in deliveries) else ExitCode.OK)
