"""`bulkup schedule`: install, show, remove and status of a schedule."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from bulkup.cli.output import closed_output_is_success
from bulkup.cli.quick_parameters import QuickCommand, QuickGroup
from bulkup.cli.run_settings import current_folder
from bulkup.cli.schedule.job_building import BuiltJob, ScheduleOptions, build_job, make_writable, secret_files
from bulkup.cli.schedule.job_building import schedule_name as named
from bulkup.cli.schedule.schedule_report import installed_lines, last_runs, state_json, state_lines
from bulkup.cli.schedule.schedule_times import ScheduleTimes, parse_times
from bulkup.cli.schedule.scheduled_job import Mark
from bulkup.cli.schedule.scheduler_choice import chosen_scheduler
from bulkup.cli.schedule.schedulers import KINDS, Scheduler
from bulkup.config.units import DURATION, parse_duration
from bulkup.errors import BulkupError, UsageError
from bulkup.reports.json_text import dumps
from bulkup.reports.safe_text import printable

schedule_app = typer.Typer(
    name="schedule",
    cls=QuickGroup,
    help="Have systemd, cron or launchd start an upload at certain times, or keep a watch running.",
    no_args_is_help=True,
    add_completion=False,
)

Profile = Annotated[str, typer.Option("--profile", "-p", metavar="NAME", help="The profile to upload.")]
AnyProfile = Annotated[str | None, typer.Option("--profile", "-p", metavar="NAME", help="The profile; default: all.")]
Config = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="The TOML file.")]
At = Annotated[
    list[str] | None,
    typer.Option("--at", metavar="HH:MM", help="The local time of the start; may be repeated."),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Instead of --at: keep `bulkup upload --watch` running, also after a restart.")
]
Weekdays = Annotated[
    str | None, typer.Option("--weekdays", metavar="DAYS", help="Mon-Fri, or Mon,Wed,Sat; default: every day.")
]
InSystem = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="A service of the system, or one of this user; default: of the system for root only.",
        show_default=False,
    ),
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="|".join(KINDS), help="The service manager; default: the one that runs here."),
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Its name; default: that of the profile.")]
RunAs = Annotated[
    str | None, typer.Option("--run-as", metavar="USER", help="With --system: the user that the upload runs as.")
]
Secret = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=FILE",
        help="The file with the value of env:NAME in the profile; systemd hands it to the run. May be repeated.",
    ),
]
RandomDelay = Annotated[
    str, typer.Option("--random-delay", metavar="DURATION", help="Start up to so much later (systemd).")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@schedule_app.command(cls=QuickCommand)
@closed_output_is_success()
def install(
    profile: Profile,
    at: At = None,
    weekdays: Weekdays = None,
    watch: Watch = False,
    system: InSystem = None,
    config: Config = None,
    kind: Kind = None,
    name: Name = None,
    run_as: RunAs = None,
    secret: Secret = None,
    random_delay: RandomDelay = "5m",
) -> None:
    """Check the profile, then write and enable its schedule. Run it again to change the schedule.

    Example: bulkup schedule install --profile nightly --at 02:00 --weekdays Mon-Fri
    """
    scheduler, built = _built(
        profile, _times(at, weekdays, watch=watch), system, config, kind, name, run_as, secret, random_delay
    )
    job = built.job
    if job.is_system and scheduler.kind != "cron":
        make_writable(job)
    notes = [*built.notes, *scheduler.install(job)]
    for line in installed_lines(job, scheduler.kind, list(scheduler.rendered(job))):
        typer.echo(printable(line))
    _print_notes(notes)


@schedule_app.command(cls=QuickCommand)
@closed_output_is_success()
def show(
    profile: Profile,
    at: At = None,
    weekdays: Weekdays = None,
    watch: Watch = False,
    system: InSystem = None,
    config: Config = None,
    kind: Kind = None,
    name: Name = None,
    run_as: RunAs = None,
    secret: Secret = None,
    random_delay: RandomDelay = "5m",
) -> None:
    """Print the files or lines that `install` would write, and write nothing."""
    scheduler, built = _built(
        profile, _times(at, weekdays, watch=watch), system, config, kind, name, run_as, secret, random_delay
    )
    for place, text in scheduler.rendered(built.job).items():
        typer.echo(f"# --- {printable(place)}\n{text}")
    _print_notes(built.notes)


@schedule_app.command(cls=QuickCommand)
@closed_output_is_success()
def remove(
    profile: Profile,
    system: InSystem = None,
    config: Config = None,
    kind: Kind = None,
    name: Name = None,
    run_as: RunAs = None,
) -> None:
    """Undo `install`: disable the schedule and remove its files or lines. Journal and profile are kept."""
    chosen = named(name, profile)
    scheduler = _installed(chosen, profile, config, system, kind, run_as)
    for place in scheduler.remove(chosen):
        typer.echo(f"removed {printable(place)}")


@schedule_app.command(cls=QuickCommand)
@closed_output_is_success()
def status(
    profile: AnyProfile = None,
    system: InSystem = None,
    config: Config = None,
    kind: Kind = None,
    name: Name = None,
    run_as: RunAs = None,
    json: AsJson = False,
) -> None:
    """Show when a schedule starts next, and how the last runs ended: by the service manager and by the journal.

    Without --profile, all schedules are shown.
    """
    if profile is None:
        found = list(_all_installed(system, kind, run_as))
    else:
        chosen = named(name, profile)
        found = [(_installed(chosen, profile, config, system, kind, run_as), chosen)]
    for scheduler, one in found:
        if (state := scheduler.state(one)) is None:
            continue  # it was removed in the meantime
        runs = last_runs(state.mark, os.environ, run_as)
        if json:
            typer.echo(dumps(state_json(one, scheduler.kind, state, runs)))
            continue
        for line in state_lines(one, scheduler.kind, state, runs):
            typer.echo(printable(line))
    if not found and not json:
        typer.echo("No schedules of the system." if _is_system(system, run_as) else "No schedules of this user.")


def _built(
    profile: str,
    times: ScheduleTimes | None,
    system: bool | None,
    config: str | None,
    kind: str | None,
    name: str | None,
    run_as: str | None,
    secret: list[str] | None,
    random_delay: str,
) -> tuple[Scheduler, BuiltJob]:
    """Return the service manager, and the job for it. Raises UsageError."""
    is_system = _is_system(system, run_as)
    chosen, secrets = named(name, profile), secret_files(secret or [])
    scheduler = chosen_scheduler(kind, is_system=is_system, user=run_as)
    options = ScheduleOptions(
        profile, config, chosen, scheduler.kind, times, _delay(random_delay), is_system, run_as, secrets
    )
    return scheduler, build_job(options, os.environ, sys.argv[0])


def _times(at: list[str] | None, weekdays: str | None, *, watch: bool) -> ScheduleTimes | None:
    """Return the times of the options, None for a watch. Raises UsageError."""
    if not watch:
        return parse_times(at or (), weekdays)
    if at or weekdays is not None:
        raise UsageError("--watch has no --at and --weekdays", hint="a watch runs always; leave out one of them")
    return None


def _installed(
    name: str, profile: str, config: str | None, system: bool | None, kind: str | None, user: str | None
) -> Scheduler:
    """Return the service manager that has a schedule. Raises UsageError if none has it."""
    is_system = _is_system(system, user)
    kinds = KINDS if kind is None else (kind,)
    for scheduler in (chosen_scheduler(one, is_system=is_system, user=user) for one in kinds):
        mark = _mark(scheduler, name, is_chosen=kind is not None)
        if mark is None:
            continue
        if mark.profile != profile or (config is not None and not _same(config, mark.config)):
            raise UsageError(
                f"the schedule {name} is about profile {mark.profile} in {mark.config}",
                hint="give --profile and --config of that schedule, or --name for another",
            )
        return scheduler
    where = "of the system" if is_system else "of this user"
    other = "--user" if is_system else "--system"
    raise UsageError(
        f"there is no schedule {name} {where}", hint=f"`bulkup schedule install` makes one; {other} looks for others"
    )


def _all_installed(system: bool | None, kind: str | None, user: str | None) -> Iterator[tuple[Scheduler, str]]:
    """Yield all schedules with their service managers, and leave out those that cannot be read."""
    is_system = _is_system(system, user)
    for one in KINDS if kind is None else (kind,):
        scheduler = chosen_scheduler(one, is_system=is_system, user=user)
        try:
            yield from ((scheduler, name) for name in scheduler.names())
        except BulkupError:
            if kind is not None:
                raise


def _mark(scheduler: Scheduler, name: str, *, is_chosen: bool) -> Mark | None:
    """Return the mark of a schedule. A kind that was not asked for and cannot be read has none."""
    try:
        return scheduler.mark(name)
    except BulkupError:
        if is_chosen:
            raise
        return None


def _same(config: str, other: str) -> bool:
    return os.path.realpath(os.path.join(current_folder(), config)) == os.path.realpath(other)


def _is_system(system: bool | None, user: str | None) -> bool:
    is_system = os.geteuid() == 0 if system is None else system
    if user is not None and not is_system:
        raise UsageError("--run-as is only for --system", hint="a schedule with --user runs as this user")
    return is_system


def _delay(text: str) -> int:
    try:
        return int(parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--random-delay: expected {DURATION}, not {text}") from error


def _print_notes(notes: list[str] | tuple[str, ...]) -> None:
    for note in notes:
        typer.echo(f"note: {printable(note)}", err=True)
