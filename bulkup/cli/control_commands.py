"""`bulkup control`: watch a run that is under way, pause and resume it, end it, and change its limits."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from bulkup.api.control.control_messages import Action
from bulkup.api.control.control_socket import control_path
from bulkup.cli.control_text import control_lines, end_line
from bulkup.cli.journal_choice import chosen_journal, journals_of_files
from bulkup.cli.output import closed_output_is_success
from bulkup.cli.quick_parameters import QuickCommand, QuickGroup
from bulkup.cli.shared_options import Config, JournalFile, Json, Profile
from bulkup.errors import UsageError
from bulkup.helpers import event_loop
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

control_app = typer.Typer(
    cls=QuickGroup,
    name="control",
    help="Watch a run that is under way, pause and resume it, end it, and change its limits.",
    no_args_is_help=True,
    add_completion=False,
)

Watch = Annotated[bool, typer.Option("--watch", help="Show it every second until the run ends.")]
Now = Annotated[bool, typer.Option("--now", help="Do not finish the files under way, as a second Ctrl-C does.")]
Rate = Annotated[str, typer.Argument(metavar="RATE", help='A rate such as 20M, a timetable, or "off".')]
Number = Annotated[str, typer.Argument(metavar="N|auto", help="The number of files sent at the same time, or auto.")]


@control_app.callback()
def _control() -> None:
    """Watch a run that is under way, pause and resume it, end it, and change its limits.

    The run is that of --profile or --journal. Without them it is the only one of this user.

    Examples:
    bulkup control status --profile nightly
    bulkup control bwlimit 5M --profile nightly
    bulkup control pause
    """


@control_app.command("status", cls=QuickCommand)
def control_status(
    profile: Profile = None,
    config: Config = None,
    journal: JournalFile = None,
    watch: Watch = False,
    json: Json = None,
) -> None:
    """Show how far the run is, its state and its limits."""
    path = _journal(profile, config, journal)
    if watch:
        event_loop.run(_watch, path, bool(json))
    else:
        _ask(path, "progress", json=json)


@control_app.command("pause", cls=QuickCommand)
def control_pause(
    profile: Profile = None, config: Config = None, journal: JournalFile = None, json: Json = None
) -> None:
    """Begin no further file and no API call. Files under way are finished."""
    _ask(_journal(profile, config, journal), "pause", json=json)


@control_app.command("resume", cls=QuickCommand)
def control_resume(
    profile: Profile = None, config: Config = None, journal: JournalFile = None, json: Json = None
) -> None:
    """Continue a paused run."""
    _ask(_journal(profile, config, journal), "resume", json=json)


@control_app.command("stop", cls=QuickCommand)
def control_stop(
    profile: Profile = None,
    config: Config = None,
    journal: JournalFile = None,
    now: Now = False,
    json: Json = None,
) -> None:
    """End the run as Ctrl-C does: files under way are finished within --grace, and the next run sends the others."""
    _ask(_journal(profile, config, journal), "stop", json=json, now=now)


@control_app.command("bwlimit", cls=QuickCommand)
def control_bwlimit(
    rate: Rate, profile: Profile = None, config: Config = None, journal: JournalFile = None, json: Json = None
) -> None:
    """Limit the bandwidth until the run ends."""
    _ask(_journal(profile, config, journal), "bwlimit", json=json, value=rate)


@control_app.command("concurrency", cls=QuickCommand)
def control_concurrency(
    number: Number, profile: Profile = None, config: Config = None, journal: JournalFile = None, json: Json = None
) -> None:
    """Send so many files at the same time until the run ends."""
    if number != "auto" and not (number.isascii() and number.isdigit()):
        raise UsageError(f"expected auto or a number, not {printable(number)}")
    value = number if number == "auto" else int(number)
    _ask(_journal(profile, config, journal), "concurrency", json=json, value=value)


def _journal(profile: str | None, config: str | None, journal: str | None) -> str:
    """Return the journal of the run: the one that the options name, or the only one with a run under way."""
    if profile is not None or journal is not None:
        return chosen_journal(None, profile, config, None, None, journal)
    found = [one.path for one in journals_of_files(profile, config, None, None, journal)]
    running = [path for path in found if os.path.exists(control_path(path))]
    if len(running) == 1:
        return running[0]
    if running:
        shown = "\n".join(f"  --journal {path}" for path in running)
        raise UsageError(f"several runs are under way; name one:\n{shown}", hint="or give --profile")
    raise UsageError("no run is under way", hint="give --profile or --journal for a journal that is elsewhere")


@closed_output_is_success()
def _ask(path: str, do: Action, *, json: bool | None, **fields: Any) -> None:
    answer = event_loop.run(_answer, path, do, fields)
    _show(answer["progress"], json=bool(json))


async def _answer(path: str, do: Action, fields: dict[str, Any]) -> dict[str, Any]:
    from bulkup.api.control.control_client import ControlClient  # noqa: PLC0415  # the help does without it

    async with ControlClient(path) as run:
        return await run.ask(do, **fields)


@closed_output_is_success()
async def _watch(path: str, json: bool) -> None:
    from bulkup.api.control.control_client import ControlClient  # noqa: PLC0415  # the same

    async with ControlClient(path) as run:
        async for answer in run.watch():
            _show(answer["progress"], json=json, exit_code=answer.get("exit_code"))


def _show(progress: dict[str, Any], *, json: bool, exit_code: int | None = None) -> None:
    if json:
        typer.echo(dumps(progress if exit_code is None else {**progress, "state": "ended", "exit_code": exit_code}))
        return
    for line in control_lines(progress):
        typer.echo(line)
    if exit_code is not None:
        typer.echo(end_line(exit_code))
