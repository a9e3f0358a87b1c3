"""Unfinished uploads at the service: list them, and remove those that no run continues."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence

import anyio
import anyio.to_thread

from bulkup.api import composition
from bulkup.api.remote_provider import remote_provider
from bulkup.config import Settings
from bulkup.config.shard_journals import journals_beside
from bulkup.errors import JournalLockedError, MachineError, UsageError
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.journal import Lock, Reader, forget_orphans
from bulkup.journal.database import journal_exists
from bulkup.model.http import ApiCall
from bulkup.model.journal_rows import UnfinishedRow
from bulkup.model.problems import ProblemError
from bulkup.model.tickets import UnfinishedUpload
from bulkup.providers import Provider
from bulkup.transport import Transport


async def unfinished_uploads(
    settings: Settings,
    journal: str,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    remove_before: float | None = None,
    clock: Clock | None = None,
) -> list[UnfinishedRow]:
    """Return the unfinished uploads below the key of these settings.

    With `remove_before`, those that the journal gave up are removed, and others that began before this Unix time. An
    upload that the next run continues stays. The journals of other shards are read as well, because the service lists
    their uploads too. Raises `BulkupError`; no run of these journals may be under way.
    """
    clock = clock or SystemClock()
    provider = await remote_provider(settings, profile, os.environ if environ is None else environ, clock)
    if not provider.capabilities.lists_unfinished:
        raise UsageError(f"{provider.name} cannot list unfinished uploads", hint="see the provider's page")
    transport = Transport(composition.transport_options(settings), clock)
    call = functools.partial(transport.call, provider.config.base_url)
    with contextlib.ExitStack() as stack:
        journals = [one for one in journals_beside(journal) if journal_exists(one)]
        for one in journals if remove_before is not None else ():
            await _hold(stack.enter_context(Lock(one)))
        async with transport:
            try:
                found = await provider.unfinished(call)
                rows = await anyio.to_thread.run_sync(_with_journals, found, journals)
                if remove_before is not None:
                    rows = [await _removed(row, provider, call, remove_before) for row in rows]
            except ProblemError as error:
                raise MachineError(error.problem.message) from None
        removed = [row.remote_id for row in rows if row.removed]
        for one in journals:
            await anyio.to_thread.run_sync(forget_orphans, one, removed)
    return rows


async def _hold(lock: Lock) -> None:
    try:
        await lock.acquire(wait=False, sleep=anyio.sleep)
    except JournalLockedError as error:
        raise JournalLockedError(error.message, hint="remove uploads when that run has ended") from error


def _with_journals(found: Sequence[UnfinishedUpload], journals: Sequence[str]) -> list[UnfinishedRow]:
    resumable, orphans = set[str | None](), set[str | None]()
    for journal in journals:
        with Reader(journal) as reader:
            resumable |= {row.remote_id for row in reader.interrupted()}
            orphans |= {row.remote_id for row in reader.orphans()}
    return [
        UnfinishedRow(one.remote_id, one.begun, one.remote_id in resumable, one.remote_id in orphans) for one in found
    ]


async def _removed(row: UnfinishedRow, provider: Provider, call: ApiCall, before: float) -> UnfinishedRow:
    if row.resumable or not (row.orphan or (row.begun is not None and row.begun < before)):
        return row
    await provider.remove_unfinished(UnfinishedUpload(row.remote_id, row.begun), call)
    return dataclasses.replace(row, removed=True)
