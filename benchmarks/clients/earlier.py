"""An earlier version of bulkup, in an environment of its own, for the ratio of the CPU times."""

from __future__ import annotations

from benchmarks.clients import bulkup
from benchmarks.clients.base import Client
from benchmarks.earlier_version import command_of, version_of

NAME = "earlier"


def client(revision: str) -> Client:
    """Return bulkup at a revision of this repository. `earlier_version.prepare` installs it."""
    label = f"`bulkup upload` at {revision}"
    return bulkup.installed(NAME, label, lambda: command_of(revision), lambda: version_of(revision))
