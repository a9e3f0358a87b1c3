"""The programs that are compared: the command line of each, and the reason if one cannot run.

There is one module per program. Each program gets the options that make it fast: as many files in flight as the others,
no listing or checking of the store before or after, and no output. Measuring and judging happen elsewhere.
"""

from __future__ import annotations

from benchmarks.clients import aws, boto3, bulkup, curl, obstore, rclone, reference, s5cmd, wrk
from benchmarks.clients.base import Client

__all__ = ["CLIENTS"]

CLIENTS: dict[str, Client] = {
    client.name: client
    for client in (
        bulkup.CLIENT,
        bulkup.FIXED,
        bulkup.S3,
        s5cmd.CLIENT,
        rclone.CLIENT,
        obstore.CLIENT,
        curl.CLIENT,
        boto3.CLIENT,
        aws.CLIENT,
        wrk.CLIENT,
        reference.CLIENT,
    )
}
