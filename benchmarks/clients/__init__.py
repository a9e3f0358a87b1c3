"""The programs that are measured beside one another: how each is called, and what is missing where it cannot be.

A module a program. Each is called as someone would who knows it well and wants it fast: as many in flight as the
others, no listing or looking at the store before or after, no output. Here is no measuring and no judging.
"""

from __future__ import annotations

from benchmarks.clients import aws, boto3, bulkup, curl, obstore, rclone, reference, s5cmd, wrk
from benchmarks.clients.base import Client

__all__ = ["CLIENTS"]

CLIENTS: dict[str, Client] = {
    client.name: client
    for client in (
        bulkup.CLIENT,
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
