"""Admits a worker to a run: its versions, its clock, and the start of its session."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import anyio

from bulkup._version import __version__
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.worker_channel import ChannelError, WorkerChannel
from bulkup.errors import MachineError, ServiceError, UsageError
from bulkup.helpers.clock import Clock

_ERRORS = {2: UsageError, 4: ServiceError}


async def admit(channel: WorkerChannel, name: str, setup: SealedBody, clock: Clock, options: ClusterOptions) -> None:
    """Check a worker, and begin its session. Raises `BulkupError` that names it, `ChannelError`, `WorkerGoneError`."""
    asked_at = clock.now()
    try:
        with anyio.fail_after(options.silence):
            hello = await channel.call("hello")
            answered_at = clock.now()
            check_versions(name, hello, our_versions())
            check_clock(name, hello["now"], asked_at, answered_at, options.clock_difference)
            error = await channel.call("begin", setup)
    except TimeoutError:
        raise ChannelError(f"it has not answered for {options.silence:g} s") from None
    if error is not None:
        code, message, hint = error
        raise _ERRORS.get(code, MachineError)(f"worker {name} cannot be used: {message}", hint=hint)


def our_versions() -> dict[str, str]:
    """Return the versions that all machines must have in common."""
    return {
        "bulkup": __version__,
        "python": platform.python_version(),
        "distributed": metadata.version("distributed"),
    }


def check_versions(name: str, theirs: Mapping[str, Any], ours: Mapping[str, str]) -> None:
    """Raise `UsageError` for a worker with another version of bulkup or distributed, or another 3.x of Python. Pure."""
    for package, version in ours.items():
        other = str(theirs.get(package, "none"))
        same = _minor(other) == _minor(version) if package == "python" else other == version
        if not same:
            label = {"python": "Python"}.get(package, package)
            raise UsageError(
                f"worker {name} has {label} {other}, and this machine has {version}",
                hint=f"install {label} {version} there, or start the run where {other} is installed",
            )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def check_clock(name: str, theirs: float, asked_at: float, answered_at: float, most: float) -> None:
    """Raise `UsageError` for a worker whose clock was not between these two times, give or take `most`. Pure."""
    difference = max(asked_at - theirs, theirs - answered_at)
    if difference > most:
        raise UsageError(
            f"the clock of worker {name} differs from this machine's by {difference:.0f} s",
            hint="set both by NTP: leases of URLs are compared with the clock",
        )
