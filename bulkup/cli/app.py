"""The command tree. A command's module is imported when the command is used."""

from __future__ import annotations

import contextlib
import importlib
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer
import typer.core
import typer.main

from bulkup._version import __version__
from bulkup.cli.error_report import report_failure
from bulkup.cli.output import flush_output
from bulkup.errors import ExitCode
from bulkup.helpers.garbage_collector import disable_gc, enable_gc
from bulkup.reports.safe_text import printable

_COMMANDS = {
    "upload": "upload:upload",
    "status": "journal_commands:status",
    "runs": "journal_commands:runs",
    "manifest": "journal_commands:manifest",
    "orphans": "journal_commands:orphans",
    "serve": "serve:serve",
    "demo": "demo:demo",
    "bench": "bench:bench",
    "config": "config_commands:config_app",
}
# More than any run needs; some systems set the hard limit to a billion, and a few programs loop over it.
_DESCRIPTORS = 65_536


class _Commands(typer.core.TyperGroup):
    """Finds commands by name: `bulkup --version` has no reason to wait for an HTTP client."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the base's signature
        """Return the names in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the same
        """Import a command, None where there is none of that name."""
        if cmd_name in _COMMANDS:
            return _load(cmd_name)
        self.commands = {name: _load(name) for name in _COMMANDS}  # what the nearest name is looked for in
        return None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        with _printable_complaints():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's own arguments and run it."""
        with _printable_complaints():
            return super().invoke(ctx)


@contextlib.contextmanager
def _printable_complaints() -> Iterator[None]:
    """What is wrong with arguments quotes them, and `*` makes arguments of the names of files."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "message"):  # of the parser's own
            error.message = printable(str(error.message))
        raise


def _load(name: str) -> Any:
    module, _, attribute = _COMMANDS[name].partition(":")
    command = getattr(importlib.import_module(f"bulkup.cli.{module}"), attribute)
    enable_gc()
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    single = typer.Typer(add_completion=False)
    single.command(name)(command)
    return typer.main.get_command(single)


app = typer.Typer(
    name="bulkup",
    cls=_Commands,
    help="Upload large directories through presigned URLs, prove every file, and go on after any interruption.",
    no_args_is_help=True,
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


def main() -> None:
    """Run the command line and exit with its status."""
    # A run has a gentler way to take a signal; this is for all that comes before and after it.
    signal.signal(signal.SIGTERM, _terminated)
    _raise_descriptor_limit()
    disable_gc()  # until the command is there
    code = _run()
    sys.exit(flush_output() or code)


def _run() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(ExitCode.OK)
    except BaseException as error:  # noqa: BLE001  # the one place where whatever happened becomes a message
        return report_failure(error)
    return int(ExitCode.OK)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(int(ExitCode.SIGTERM))


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the system knows better; what we have will do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
