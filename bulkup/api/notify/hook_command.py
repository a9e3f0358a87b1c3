"""Runs the command of a notification, with the notification on its standard input and without the tokens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

import anyio
from anyio.abc import Process

from bulkup.config import Settings
from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import S3
from bulkup.config.requirements import given_secrets

_MAY_HOLD_SECRETS = ("secret", "tables")
_AWS_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_STANDARD_ERROR = 2  # standard output may be read by a program that expects JSON
_KILL_TIMEOUT = 2.0


def environment_without_secrets(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return the environment without the variables from which bulkup takes secrets."""
    hidden = {setting.variable for setting in SETTINGS.values() if setting.form.kind in _MAY_HOLD_SECRETS}
    hidden |= {source.reference.reveal() for source in given_secrets(settings).values() if source.kind == "env"}
    if settings.provider == S3:
        hidden.update(_AWS_SECRETS)
    return {name: value for name, value in environ.items() if name not in hidden}


async def run_hook(argv: Sequence[str], environ: Mapping[str, str], data: bytes) -> str | None:
    """Run a command with `data` on its standard input, and return why it failed, None after success.

    Its output goes to standard error. If this is cancelled, the command and its children are killed.
    """
    try:
        with anyio.CancelScope(shield=True):  # cancelled here, it would leave the children of the command running
            process = await anyio.open_process(
                argv, stdin=subprocess.PIPE, stdout=_STANDARD_ERROR, stderr=None, env=environ, start_new_session=True
            )
    except OSError as error:
        return f"it cannot be run: {error.strerror or error}"
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_feed, process, data)
            status = await process.wait()
            tasks.cancel_scope.cancel()
    finally:
        await _end(process)
    if status < 0:
        return f"it was ended by signal {-status}"
    return f"it exited with status {status}" if status else None


async def _feed(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    # A command need not read its input.
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        await process.stdin.send(data)
        await process.stdin.aclose()


async def _end(process: Process) -> None:
    """Kill a command that still runs, and wait for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with anyio.move_on_after(_KILL_TIMEOUT, shield=True):
        await process.aclose()
