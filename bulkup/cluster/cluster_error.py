"""The error of a run whose cluster failed, or cannot be used."""

from __future__ import annotations

from bulkup.errors import BulkupError, ExitCode


class ClusterError(BulkupError):
    """The scheduler cannot be reached or was lost, or no worker can be used."""

    exit_code = ExitCode.MACHINE
