"""The cluster that `--cluster local:N` starts: nobody else on the machine may use its scheduler or its workers."""

from __future__ import annotations

import pytest
from distributed.security import Security

from bulkup import UsageError
from bulkup.cluster.cluster_error import ClusterError
from bulkup.cluster.dask_fleet import DaskFleet
from bulkup.cluster.local_cluster import local_cluster

# Dask leaves sockets to the garbage collector when a cluster ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def reach(address: str, security: Security | None, timeout: float = 1.0) -> list[str]:
    """Return the addresses of the workers that a client with these certificates sees."""
    fleet = DaskFleet(address, "test", timeout, security)
    try:
        await fleet.connect()
        return list(await fleet.workers())
    finally:
        await fleet.close()


async def test_nobody_else_on_the_machine_can_connect() -> None:
    async with local_cluster(1) as (address, security):
        assert address.startswith("tls://127.0.0.1:")
        (worker,) = await reach(address, security, timeout=10.0)
        assert worker.startswith("tls://127.0.0.1:")
        in_the_clear = address.replace("tls://", "tcp://")
        with pytest.raises(UsageError, match="names no certificates"):
            await reach(address, None)
        others = [
            (address, Security.temporary()),
            (in_the_clear, None),
            (worker, Security.temporary()),
        ]
        for there, theirs in others:
            with pytest.raises(ClusterError, match="cannot be reached"):
                await reach(there, theirs)
    assert "PRIVATE KEY" not in repr(security)
