"""The files of a server under `DIR/state/`: the lock, the signing key, the counters, the last port."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import anyio
import orjson

from bulkup.errors import MachineError
from bulkup.helpers.private_files import make_private_folder, open_private
from bulkup.localserver.faults import FaultName
from bulkup.localserver.signing_types import SigningKey

COUNTER_NAMES: Final = ("presign_calls", "tickets", "puts_completed", "puts_failed", "bytes")
_LOCK_POLL = 0.05  # seconds
_WORD = 8  # bytes


class ServerCounters:
    """Counters by name, in a file mapped into memory. They survive a killed process."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self._names = tuple(names)
        size = len(self._names) * _WORD
        descriptor = open_private(path, os.O_RDWR)
        try:
            os.truncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("Q")

    def add(self, **amounts: int) -> None:
        """Add to counters by name."""
        for name, amount in amounts.items():
            self._words[self._names.index(name)] += amount

    def read(self) -> dict[str, int]:
        """Return all counters by name."""
        return dict(zip(self._names, self._words, strict=True))

    def close(self) -> None:
        """Release the file."""
        self._words.release()
        self._map.close()


class ServerState:
    """`DIR/state/` of one server. The caller must hold `state_lock`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.key = self._signing_key()
        self.counters = ServerCounters(self._path("counters"), COUNTER_NAMES)
        self.fault_counters = ServerCounters(self._path("hits"), [name.value for name in FaultName])

    def last_port(self) -> int:
        """Return the port of the last start, 0 if there was none."""
        try:
            with open(self._path("port"), "rb") as file:
                return int(file.read(8))
        except (FileNotFoundError, ValueError):
            return 0

    def remember_port(self, port: int) -> None:
        """Store the port for a later start."""
        self._write("port", b"%d" % port)

    def _signing_key(self) -> SigningKey:
        try:
            with open(self._path("keys.json"), "rb") as file:
                return SigningKey(**orjson.loads(file.read()))
        except FileNotFoundError:
            return self._new_signing_key()
        except (ValueError, TypeError) as error:
            raise MachineError(
                f"{self._path('keys.json')} is damaged",
                hint="delete it; the server will then refuse URLs that it signed earlier",
            ) from error

    def _new_signing_key(self) -> SigningKey:
        suffix = secrets.token_hex(8).upper()
        fields: dict[str, Any] = {
            "permanent_id": f"AKIA{suffix}",
            "temporary_id": f"ASIA{suffix}",
            "secret": secrets.token_urlsafe(30),
            "session_token": secrets.token_urlsafe(96),
        }
        self._write("keys.json", orjson.dumps(fields))
        return SigningKey(**fields)

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._path(f"{name}.new")
        descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


@contextlib.asynccontextmanager
async def state_lock(directory: str, timeout: float) -> AsyncIterator[None]:
    """Create the directory and lock it for this server, within `timeout` seconds.

    The wait is for the server of a killed run: it needs a moment to end, and the next run may start at once. The lock
    ends with the process. Raises MachineError if another server keeps the lock.
    """
    make_private_folder(directory)
    descriptor = open_private(os.path.join(directory, "lock"), os.O_RDWR)
    try:
        if not await _lock(descriptor, timeout):
            raise MachineError(f"another server uses {directory}", hint="stop it, or use another --store")
        yield
    finally:
        os.close(descriptor)


async def _lock(descriptor: int, timeout: float) -> bool:
    with anyio.move_on_after(timeout):
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            await anyio.sleep(_LOCK_POLL)
    return False
