"""Removes what a store holds: its objects, and the records of the services about them."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

import anyio
import anyio.to_thread

from bulkup.errors import UsageError
from bulkup.localserver.server_state import state_lock

_LOCK_TIMEOUT = 1.0  # seconds
_PARTS = ("objects", "state")


class Pruned(NamedTuple):
    """The number of the objects that were removed, and their size in bytes."""

    objects: int
    size: int


async def prune_store(store: str) -> Pruned:
    """Remove objects and records of a store. The folder itself stays, and so does all else in it.

    Raises `UsageError` if the folder is no store, `MachineError` if a server uses it, and OSError.
    """
    state = os.path.join(store, "state")
    if not await anyio.to_thread.run_sync(os.path.exists, os.path.join(state, "lock")):
        raise UsageError(f"{store} is no store of `bulkup serve`", hint="name its folder with --store")
    async with state_lock(state, _LOCK_TIMEOUT):
        return await anyio.to_thread.run_sync(_remove, store)


def _remove(store: str) -> Pruned:
    pruned = _measured(os.path.join(store, "objects"))
    for part in _PARTS:
        path = os.path.join(store, part)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
    return pruned


def _measured(objects: str) -> Pruned:
    count = size = 0
    for folder, _, names in os.walk(objects):
        count += len(names)
        size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    return Pruned(count, size)
