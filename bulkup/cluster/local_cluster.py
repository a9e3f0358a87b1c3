"""`--cluster local:N`: a scheduler in this process and N workers in processes of their own, on the loopback."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import AsyncGenerator

import dask
from distributed import LocalCluster
from distributed.security import Security

_LOOPBACK = "127.0.0.1"


@contextlib.asynccontextmanager
async def local_cluster(workers: int) -> AsyncGenerator[tuple[str, Security], None]:
    """Start a cluster, and yield the address of its scheduler, and the certificates for it.

    Its processes end with this one. The loopback is open to all users of the machine, and whoever can connect to Dask
    can run programs. So both sides show a certificate whose key exists only in the memory of these processes.
    """
    security = Security.temporary()
    settings = {
        "distributed.scheduler.reuse-broadcast-comm": True,
        "distributed.admin.event-loop": "uvloop" if importlib.util.find_spec("uvloop") else "tornado",
        "distributed.worker.daemon": True,
    }
    with dask.config.set(settings):
        async with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=_LOOPBACK,
            protocol="tls://",
            security=security,
            dashboard_address=f"{_LOOPBACK}:0",
            worker_dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.ERROR,
            asynchronous=True,
        ) as cluster:
            yield cluster.scheduler_address, security
