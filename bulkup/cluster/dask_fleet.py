"""The workers of a Dask cluster. Only this module and `local_cluster` import `distributed`.

Every call goes through the scheduler, which the client and the workers can reach; neither needs to reach the other. The
scheduler passes bodies on without reading them, so it needs no bulkup.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from typing import Any

import anyio
import dask.config
from distributed import Client
from distributed.actor import ProxyRPC
from distributed.protocol.serialize import to_serialize
from distributed.security import Security

from bulkup.cluster.cluster_error import ClusterError
from bulkup.cluster.scheduler_address import has_tls, is_tcp
from bulkup.cluster.session_actor import SessionActor
from bulkup.cluster.worker_channel import ChannelError, SchedulerLostError, WorkerGoneError
from bulkup.errors import UsageError

_INSTALL = "install the same version of bulkup there, with `pip install 'bulkup[cluster]'`"
_TLS_PAGE = "the section TLS of docs/how-to/cluster.md shows it"
_START = 30.0  # seconds until an actor must exist


class DaskFleet:
    """The connection to a scheduler, from `connect` to `close`."""

    def __init__(self, address: str, run: str, timeout: float, security: Security | None = None) -> None:
        """`run` is part of the names of actors; `timeout` is in seconds."""
        self._address = address
        self._run = run
        self._timeout = timeout
        self._security = security
        self._client: Client | None = None

    async def connect(self) -> None:
        """Connect to the scheduler. Raises `ClusterError`, and `UsageError` for a wrong configuration of TLS."""
        security = self._security
        if security is None and not dask.config.get("distributed.client.security-loader", None):
            security = Security()
        if security is not None:
            check_tls(self._address, security)
        try:
            await self._connect()
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError, ImportError) as error:
            raise ClusterError(
                f"the Dask scheduler at {self._address} cannot be reached: {str(error) or type(error).__name__}",
                hint="check the address, and whether `dask scheduler` runs; nothing was started",
            ) from error

    async def reconnect(self) -> None:
        """Connect to the scheduler anew. Raises `SchedulerLostError`."""
        await self.close()
        try:
            await self._connect()
        except (OSError, TimeoutError) as error:
            raise SchedulerLostError(str(error)) from error

    async def close(self) -> None:
        """Close the connection; the actors end with it."""
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(self._timeout, shield=True):
                await client.close(timeout=2)

    async def workers(self) -> Mapping[str, str]:
        """Return the name of each worker by its address. Raises `SchedulerLostError`."""
        try:
            with anyio.fail_after(self._timeout):
                identity = await self._scheduler.identity(n_workers=-1)
        except (OSError, TimeoutError) as error:
            raise SchedulerLostError(str(error)) from error
        return {
            address: _shown(address, worker.get("name"))
            for address, worker in identity["workers"].items()
            if worker.get("status", "running") == "running"
        }

    async def open(self, address: str, epoch: int) -> DaskChannel:
        """Create an actor on a worker. Raises `ChannelError`, and `UsageError` for a worker without this bulkup."""
        assert self._client is not None
        await self._check_has_bulkup(address)
        key = f"bulkup-{self._run}-{epoch}"
        try:
            future = self._client.submit(
                SessionActor, workers=[address], allow_other_workers=False, actor=True, pure=False, key=key
            )
        except (OSError, ValueError) as error:
            raise ChannelError(str(error)) from error
        try:
            with anyio.fail_after(_START):
                failure = await future.exception()
            if failure is not None or future.status != "finished":
                raise _reason(failure, address)
        except TimeoutError:
            raise ChannelError(f"it has begun no session for {_START:g} s; other tasks may keep it busy") from None
        except BaseException:
            future.release()
            raise
        return DaskChannel(self._scheduler, address, key, future)

    async def _check_has_bulkup(self, address: str) -> None:
        """Raise `UsageError` for a worker without bulkup: Dask's worker ends when it cannot read a task."""
        assert self._client is not None
        try:
            with anyio.fail_after(_START):
                found = await self._client.run(importlib.util.find_spec, "bulkup", workers=[address])
        except (OSError, TimeoutError, ValueError) as error:
            raise ChannelError(str(error) or type(error).__name__) from error
        if address in found and found[address] is None:
            raise UsageError(f"worker {address} has no bulkup", hint=_INSTALL)

    async def _connect(self) -> None:
        client = Client(
            self._address,
            asynchronous=True,
            set_as_default=False,
            timeout=self._timeout,
            security=self._security,
            name="bulkup",
            direct_to_workers=False,
        )
        try:
            await client
        except BaseException:
            with anyio.CancelScope(shield=True):
                await client.close(timeout=1)
            raise
        self._client = client

    @property
    def _scheduler(self) -> Any:
        if self._client is None or self._client.scheduler is None:
            raise OSError("not connected")
        return self._client.scheduler


class DaskChannel:
    """The actor on one worker."""

    def __init__(self, scheduler: Any, address: str, key: str, future: Any) -> None:
        self._rpc = ProxyRPC(scheduler, address)
        self._key = key
        self._future = future

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method. Raises `ChannelError`, and `WorkerGoneError` once Dask has given up the worker."""
        if self._future.status in ("lost", "cancelled", "error"):
            raise WorkerGoneError("it left the cluster")
        try:
            answer = await self._rpc.actor_execute(
                function=method,
                actor=self._key,
                args=[to_serialize(argument) for argument in arguments],
                kwargs={},
            )
        except OSError as error:
            raise ChannelError(type(error).__name__) from error
        except Exception as error:
            # The scheduler passes an error of the worker on as text: there is no such actor any more.
            raise WorkerGoneError("its session is gone") from error
        if answer["status"] != "OK":
            raise WorkerGoneError(f"its session failed: {type(answer['exception']).__name__}") from answer["exception"]
        return answer["result"]

    async def close(self) -> None:
        """End the session, and have Dask forget the actor."""
        try:
            with anyio.move_on_after(2):
                await self.call("end")
        except (ChannelError, WorkerGoneError):
            pass
        finally:
            self._future.release()


def check_tls(address: str, security: Security) -> None:
    """Raise `UsageError` where Dask's configuration has no usable certificates for an address, or demands TLS.

    It reads the files of the certificates.
    """
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the certificates of Dask's configuration cannot be used: {error}",
            hint=f"check the files that distributed.comm.tls names; {_TLS_PAGE}",
        ) from error
    if has_tls(address) and context is None:
        raise UsageError(
            f"the scheduler at {address} has TLS, and Dask's configuration names no certificates for it",
            hint="set ca-file, and cert and key of client, under distributed.comm.tls in Dask's configuration, such as "
            f"~/.config/dask/tls.yaml; {_TLS_PAGE}",
        )
    if is_tcp(address) and security.require_encryption:
        raise UsageError(
            f"Dask's configuration demands TLS (distributed.comm.require-encryption), and {address} has none",
            hint=f"use the tls:// address of the scheduler; {_TLS_PAGE}",
        )


def _reason(error: BaseException | None, address: str) -> Exception:
    """Return the error for an actor that could not be created."""
    if error is None or isinstance(error, asyncio.CancelledError):
        return ChannelError("it left the cluster")
    if isinstance(error, ImportError):
        return UsageError(
            f"worker {address} cannot import bulkup: {error}",
            hint=_INSTALL,
        )
    return UsageError(f"worker {address} cannot begin a session: {type(error).__name__}: {error}")


def _shown(address: str, name: Any) -> str:
    """Return how messages name a worker: its name if it has one of its own, else its address."""
    return address if name is None or str(name) == address or isinstance(name, int) else str(name)
