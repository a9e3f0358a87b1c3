"""Compares the sources with those of a worker before it gets its first file of them: `source_probe`, over the network.

A source may have several file systems, and a worker may lack one of them. So each device of a source is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import anyio

from bulkup.cluster.assignments import Assigned
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.source_probe import Seen, difference, look_at
from bulkup.errors import UsageError
from bulkup.model.files import FoundFile, Identity
from bulkup.pipeline.run import Run

if TYPE_CHECKING:
    from bulkup.cluster.worker_link import WorkerLink

Place = tuple[int, int]  # the number of a source, and that of a device
Samples = Mapping[Place, Sequence[FoundFile]]


class SourceComparison:
    """Finds files to compare, and compares them."""

    def __init__(self, run: Run, options: ClusterOptions) -> None:
        self._run = run
        self._options = options

    def unchecked(self, group: Sequence[Assigned], checked: set[Place]) -> Samples:
        """Return some files of each source and device in a group that was not compared yet."""
        samples: dict[Place, list[FoundFile]] = {}
        for one in group:
            file = one.item.file
            place = file.source.id, file.identity.device
            if place not in checked and len(found := samples.setdefault(place, [])) < self._options.probes:
                found.append(file)
        return samples

    async def compare(self, link: WorkerLink, samples: Samples) -> list[tuple[int, int]]:
        """Compare files, and return the numbers of devices, ours and the worker's.

        Raises `UsageError` where they differ, and `WorkerGoneError`.
        """
        devices = []
        for place, files in samples.items():
            seen = await self._compare_one(link, files)
            if seen is not None:
                devices.append((place[1], seen.device))
            link.checked.add(place)
        return devices

    async def _compare_one(self, link: WorkerLink, files: Sequence[FoundFile]) -> Identity | None:
        """Return the identity of a file on the worker, None where no file could be read here."""
        reason: str | None = None
        for number in range(self._options.probes):
            file = files[number % len(files)]
            arguments = file.source.root, file.path, self._options.probe_bytes
            ours = await anyio.to_thread.run_sync(look_at, *arguments)
            if ours.error:
                continue  # it has gone or cannot be read, which its outcome will say
            error, identity, digest = (await link.call("probe", SealedBody.of(arguments))).value()
            theirs = Seen(error, None if identity is None else Identity(*identity), digest)
            reason = difference(file.path, ours, theirs, self._run.options.identity)
            if reason is None:
                return theirs.identity
            await anyio.sleep(self._options.probe_pause)  # the file may change, or the worker's cache be late
        if reason is None:
            return None
        raise UsageError(
            f"the source is not the same on worker {link.name}: {reason}",
            hint="mount it at the same path on all workers, and the same version of it",
        )
