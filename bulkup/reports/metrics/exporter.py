"""Writes the metrics of a run into a file, and serves them. A failure is logged once, and never hurts the run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread

from bulkup.errors import MachineError, UsageError
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.log_events import LogEvent
from bulkup.reports.metrics.run_metrics import RunMetrics

_log = EventLogger("bulkup")
_INTERVAL = 15.0  # seconds, as often as Prometheus usually asks


def require_client() -> None:
    """Raise `UsageError` if prometheus_client is not installed."""
    try:
        import prometheus_client  # noqa: F401, PLC0415  # of an extra
    except ImportError as error:
        hint = "install it with: pip install 'bulkup[metrics]'"
        raise UsageError("metrics need the package prometheus_client, which is not installed", hint=hint) from error


class MetricsFile:
    """The file that node_exporter's textfile collector reads. Each write replaces it as a whole."""

    def __init__(self, path: str, metrics: RunMetrics) -> None:
        self._path = path
        self._registry = _registry(metrics)
        self._failed = False

    def write(self) -> None:
        """Write the file; log the first failure. It blocks."""
        try:
            self._write()
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning(LogEvent.METRICS_FAILED, reason=error.strerror or str(error))

    async def write_until_cancelled(self) -> None:
        """Write the file now and every 15 seconds."""
        while True:
            await anyio.to_thread.run_sync(self.write)
            await anyio.sleep(_INTERVAL)

    def _write(self) -> None:
        from prometheus_client import generate_latest  # noqa: PLC0415  # of an extra

        temporary = f"{self._path}.{os.getpid()}"
        try:
            # Readable by all: the collector is another user. There are no secrets in it.
            with open(temporary, "wb") as file:
                file.write(generate_latest(self._registry))
            os.chmod(temporary, 0o644)
            os.replace(temporary, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def served(address: str, metrics: RunMetrics) -> Iterator[int]:
    """Serve the metrics at `HOST:PORT`, and yield the port. Raises `MachineError` if the address cannot be used."""
    from prometheus_client import start_http_server  # noqa: PLC0415  # of an extra

    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), addr=host.strip("[]"), registry=_registry(metrics))
    except OSError as error:
        hint = "another program uses the port, or the address is not one of this machine"
        raise MachineError(f"cannot serve metrics at {address}: {error.strerror}", hint=hint) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(metrics: RunMetrics) -> Any:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  # of an extra

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return registry
