"""The command tree. The module of a command is imported when the command is used."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import typer
import typer.core
import typer.main

from bulkup._version import __version__
from bulkup.cli.inner_commands import CommandWithInner
from bulkup.cli.quick_parameters import QuickCommand, quick_parameters
from bulkup.errors import ExitCode
from bulkup.helpers.garbage_collector import enable_gc
from bulkup.reports.safe_text import printable


class _Command(NamedTuple):
    """Where a command is defined, and the first sentence of its help, for `bulkup --help`.

    `inner` has the places of commands inside it, by their names.
    """

    place: str
    summary: str
    inner: Mapping[str, str] = MappingProxyType({})


COMMANDS = {
    "upload": _Command("upload:upload", "Upload directories or files; run it again to resume."),
    "status": _Command(
        "journal_commands.status_command:status",
        "Show how many files are in which state, and how the last run ended; or where a FILE stands, and why.",
    ),
    "failures": _Command(
        "journal_commands.failures_command:failures",
        "Show why files were not uploaded: by reason, with advice and the next command.",
    ),
    "report": _Command(
        "journal_commands.report_command:report",
        "Write a report of a run as a page: figures over time, failures with advice, comparison, settings.",
    ),
    "runs": _Command("journal_commands.runs_command:runs", "List the runs, the newest first; or prune the journal."),
    "verify": _Command(
        "journal_commands.verify_command:verify",
        "Compare uploaded files with the disk and, where the service can tell, with its objects.",
    ),
    "retry": _Command(
        "retry_command:retry",
        "Upload again files that failed, changed or were unreadable, and those that an interrupted run left.",
    ),
    "manifest": _Command(
        "journal_commands.manifest_command:manifest",
        "List every file with its id at the service, its checksum and its state; or merge manifests.",
        {"merge": "journal_commands.merge_command:merge"},
    ),
    "orphans": _Command(
        "journal_commands.orphans_command:orphans",
        "List unused remote ids: nothing was uploaded to them, or their files were uploaded again since.",
    ),
    "control": _Command(
        "control_commands:control_app",
        "Watch a run that is under way, pause and resume it, end it, and change its limits.",
    ),
    "dashboard": _Command(
        "dashboard:dashboard",
        "Show all runs of this user on a page in the browser: progress, failures, files; retry, pause and stop.",
    ),
    "serve": _Command(
        "serve:serve",
        "Run a server with the APIs and the storage of all services, for tests, trials and demonstrations.",
    ),
    "demo": _Command("demo:demo", "Upload a tree, kill the run half-way, resume it, and verify every file."),
    "bench": _Command("bench:bench", "Measure a service and the network: find the best settings, and the bottleneck."),
    "provider": _Command(
        "provider_commands:provider_app",
        "List providers, describe a service for provider http, and try it with one file.",
    ),
    "config": _Command("config_commands:config_app", "Write, show and check the settings."),
    "doctor": _Command(
        "doctor:doctor",
        "Examine the basis of uploads: versions, limits, clock, sources, disk, journal, proxy, DNS and TLS.",
    ),
    "schedule": _Command(
        "schedule.schedule_commands:schedule_app",
        "Have systemd, cron or launchd start an upload at certain times, or keep a watch running.",
    ),
    "notify": _Command("notify_commands:notify_app", "Send a test message to those who are notified of runs."),
    "man": _Command("man_page:man", "Print the manual page: `bulkup man | man -l -`."),
}
_WITH_CLIENT = frozenset({"demo", "bench", "provider", "notify", "dashboard"})  # they import aiohttp


class _Commands(typer.core.TyperGroup):
    """Import commands when they are used, so that `bulkup --version` does not import an HTTP client.

    The list of the commands is plain text, because it needs neither the commands nor rich. The help of a command, and
    messages about wrong usage, are written by rich.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the base's signature
        """Return the names of the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the same
        """Import and return a command, None if there is none of that name."""
        if cmd_name in COMMANDS:
            return load_command(cmd_name)
        self.commands = {name: load_command(name) for name in COMMANDS}  # typer searches them for a similar name
        return None

    def get_params(self, ctx: Any) -> Any:
        """Return the options before the command."""
        return quick_parameters(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, options and commands."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # the base's signature
        """Write the names and summaries of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the command. Without any argument, print the help with exit code 2."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit(int(ExitCode.USAGE))
        with _printable_usage_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's own arguments and run it."""
        with _printable_usage_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Escape the text of usage errors: they quote arguments, which may be file names from the shell's `*`."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "message"):  # a usage error
            error.message = printable(str(error.message))
        raise


def load_command(name: str) -> Any:
    """Import a command and return it in the form that the parser runs."""
    with _unread_certificates() if name in _WITH_CLIENT else contextlib.nullcontext():
        command = _imported(COMMANDS[name].place)
    enable_gc()
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    if not COMMANDS[name].inner:
        return _single(name, command, QuickCommand)
    inner = {one: _single(one, _imported(place), QuickCommand) for one, place in COMMANDS[name].inner.items()}
    return _single(name, command, type("_Command", (CommandWithInner,), {"inner": inner}))


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(f"bulkup.cli.{module}"), attribute)


def _single(name: str, command: Any, kind: type[QuickCommand]) -> Any:
    single = typer.Typer(add_completion=False)
    single.command(name, cls=kind)(command)
    return typer.main.get_command(single)


def _unread_certificates() -> contextlib.AbstractContextManager[None]:
    from bulkup.transport.by_aiohttp.unread_certificates import unread_certificates  # noqa: PLC0415  # it imports ssl

    return unread_certificates()


app = typer.Typer(
    name="bulkup",
    cls=_Commands,
    help="Upload large directories through presigned URLs, verify every file, and resume after any interruption.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(given: bool) -> None:
    if given:
        typer.echo(f"bulkup {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    del version
