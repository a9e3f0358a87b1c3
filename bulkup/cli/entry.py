"""The entry point of the command: the process is set up, the command line is run, any error is reported.

Plain arguments of `bulkup upload` are read here (`upload_arguments`), all others by typer (`app`).
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from bulkup.cli.error_report import is_out_of_memory, report_failure
from bulkup.cli.output import flush_output
from bulkup.errors import ExitCode
from bulkup.helpers.garbage_collector import disable_gc, enable_gc
from bulkup.helpers.standard_streams import open_missing_streams
from bulkup.helpers.utf8_mode import restart_in_utf8_mode

if TYPE_CHECKING:
    from bulkup.config import ResolvedSettings

# More than any run needs. The hard limit of some systems is a billion, and some programs loop up to the limit.
_DESCRIPTORS = 65_536


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        open_missing_streams()
    except OSError:  # without a null device; standard error may be the stream that is missing
        os._exit(int(ExitCode.MACHINE))
    restart_in_utf8_mode()
    # During a run, `Signals` handles signals. This handler is for the time before and after it.
    signal.signal(signal.SIGTERM, _terminated)
    _raise_descriptor_limit()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # PYTHONIOENCODING may name an encoding without some letters
    disable_gc()  # until the command is loaded
    code = run_command_line()
    sys.exit(flush_output() or code)


def run_command_line() -> int:
    """Run the command in `sys.argv` and return its exit code, with any error reported."""
    try:
        return _run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(ExitCode.OK)
    except BaseException as error:  # noqa: BLE001  # the one place that turns every error into a message
        code = report_failure(error)
        if is_out_of_memory(error):
            flush_output()
            os._exit(code)  # without memory, Python may crash at its exit
        return code


def upload(resolved: ResolvedSettings, *, retry: bool = False) -> int:
    """Upload with these settings, and return the exit code; with `retry` only files that are not uploaded yet.

    The modules of a run are imported after the settings.
    """
    from bulkup.transport.by_aiohttp.unread_certificates import unread_certificates  # noqa: PLC0415  # it imports ssl

    with unread_certificates():
        from bulkup.cli.upload_run import run_upload  # noqa: PLC0415  # it imports the API's client

        if resolved.settings.watch:
            from bulkup.cli.watch_run import run_watch  # noqa: PLC0415  # few uploads are a watch
    from bulkup.helpers import event_loop  # noqa: PLC0415  # it imports asyncio

    enable_gc()
    if resolved.settings.watch:
        return event_loop.run(run_watch, resolved)
    return event_loop.run(run_upload, resolved, retry)


def _run() -> int:
    if sys.argv[1:2] == ["upload"]:
        from bulkup.cli.upload_arguments import read_upload_arguments  # noqa: PLC0415  # the list of commands needs none

        given = read_upload_arguments(sys.argv[2:])
        if given is not None:
            from bulkup.cli.run_settings import load_upload_settings  # noqa: PLC0415  # the same

            return upload(load_upload_settings(given.options, given.profile, given.config))
    from bulkup.cli.app import app  # noqa: PLC0415  # it imports typer

    app()
    return int(ExitCode.OK)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(int(ExitCode.SIGTERM))


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the present limit is used
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
