"""`bulkup dashboard`: a page on this machine about all journals of this user."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import anyio
import typer

from bulkup.cli.journal_choice import ChosenJournal, options_of_run
from bulkup.cli.run_settings import load_settings
from bulkup.config.profile_journal import profile_of_journal
from bulkup.config.user_dirs import user_state_dir
from bulkup.dashboard.dashboard_server import DashboardConfig, DashboardServer
from bulkup.errors import UsageError
from bulkup.helpers import event_loop
from bulkup.helpers.private_files import make_private_folder, open_private
from bulkup.journal import Reader
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.reports.safe_text import printable

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")]
Open = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open the page in the browser.", show_default="if there is a desktop"),
]
Journals = Annotated[
    list[str] | None,
    typer.Option("--journal", metavar="FILE", help="Show this journal too. May be repeated."),
]


def dashboard(port: Port = 0, open_page: Open = None, journal: Journals = None) -> None:
    """Show all runs of this user on a page in the browser: progress, failures, files; retry, pause and stop.

    The page is served on the loopback address alone, and its address has a secret token. Ctrl-C ends the server;
    runs go on without it.

    Examples:
    bulkup dashboard
    bulkup dashboard --port 8321 --no-open
    """
    for path in journal or ():
        if not os.path.lexists(path):
            raise UsageError(f"there is no journal at {printable(path)}", hint="check the path of --journal")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    config = DashboardConfig(
        folder=user_state_dir(os.environ),
        journals=tuple(journal or ()),
        alike=alike,
        retry_command=retry_arguments,
        port=port,
    )
    event_loop.run(_serve, config, _has_desktop() if open_page is None else open_page)


def retry_arguments(journal: str, source: bytes) -> Sequence[str]:
    """Return the arguments with which `bulkup upload` continues a journal with one of its sources.

    Raises `BulkupError` if they cannot be found: the profile may have been changed.
    """
    root = os.fsdecode(source)
    owner = profile_of_journal(journal)
    if owner is not None:
        profile, config_file = owner
        return ["--profile", profile, "--config", config_file, root]
    found = load_settings({"source": [root], "journal": journal}, None, None)
    with Reader(journal) as reader:
        last = next(reader.runs(), None)
    return options_of_run(ChosenJournal(journal, found), last)


async def _serve(config: DashboardConfig, open_page: bool) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with DashboardServer(config) as server:
            address = server.secret_url.reveal()
            typer.echo(f"{address}\n")
            typer.echo("This address opens the dashboard. Do not pass it on: it lets others control your uploads.")
            typer.echo("Ctrl-C ends the dashboard. Runs go on without it.")
            sys.stdout.flush()
            with _opened_in_browser(address) if open_page else contextlib.nullcontext():
                async for _ in signals:
                    return


def _has_desktop() -> bool:
    if not sys.stdout.isatty():
        return False
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _opened_in_browser(address: str) -> Iterator[None]:
    """Open the page over a private file that leads to it: all users can read the arguments of a browser.

    The file is removed at the end of the block.
    """
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        yield
        return
    folder = os.environ.get("XDG_RUNTIME_DIR") or user_state_dir(os.environ)
    make_private_folder(folder)
    path = os.path.join(folder, f"dashboard-{secrets.token_hex(8)}.html")
    with open(path, "x", encoding="utf-8", opener=open_private) as file:  # new: nobody else has it open or owns it
        file.write(
            f'<!doctype html><meta http-equiv="refresh" content="0;url={address}"><a href="{address}">Open</a>\n'
        )
    try:
        # The shell ends at once, and the browser belongs to no process of this command.
        subprocess.run(
            ["/bin/sh", "-c", '"$0" "$1" &', program, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
