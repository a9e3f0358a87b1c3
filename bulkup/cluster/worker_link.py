"""One worker as the coordinator sees it: two loops of calls, one for the messages in each direction.

    push    sends what has gathered for the worker: files, answers, grants, news
    pull    waits on the worker until it has something to report

Both repeat a call that failed. Batches are numbered, so that none is taken twice. If the worker has answered neither
for `silence`, it is given up. It has stopped by then: its lease is shorter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from bulkup.cluster.assignments import Assigned, StaleRecordError
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.file_groups import Load
from bulkup.cluster.fleet_figures import WorkerFigures
from bulkup.cluster.journal_records import JournalRecords
from bulkup.cluster.sealed_body import SealedBody
from bulkup.cluster.uplink import NEWS
from bulkup.cluster.wire_values import Plain, file_to_plain
from bulkup.cluster.worker_channel import ChannelError, WorkerChannel, WorkerGoneError
from bulkup.helpers.clock import Clock


class NewsReader(Protocol):
    """Takes the reports of a worker besides its records."""

    def news(self, link: WorkerLink, kind: str, values: Sequence[Any]) -> None:
        """Take news of a worker."""
        ...

    async def call_granted(self) -> None:
        """Return when an API call may start."""
        ...


class WorkerLink:
    """The link to one session, while `serve` runs. `checked` are the sources and devices that were compared."""

    def __init__(
        self,
        name: str,
        address: str,
        epoch: int,
        channel: WorkerChannel,
        records: JournalRecords,
        figures: WorkerFigures,
        reader: NewsReader,
        clock: Clock,
        options: ClusterOptions,
        linger: Callable[[], float],
    ) -> None:
        self.name = name
        self.address = address
        self.scope = anyio.CancelScope()
        self.epoch = epoch
        self.channel = channel
        self.records = records
        self.figures = figures
        self.load = Load()
        self.checked: set[tuple[int, int]] = set()
        self.checking = False
        self.lost = False
        self.ending = ""  # why the worker gets no more files, before its session has ended
        self.last: bool | None = None
        self.bytes_down = self.bytes_up = self.batches = 0
        self.ended = anyio.Event()
        self._reader = reader
        self._clock = clock
        self._options = options
        self._linger = linger
        self._heard = clock.monotonic()
        self._noted = self._heard, 0, 0
        self._gone = 0, 0  # files and bytes that the worker does not hold any more
        self._out: list[Plain] = []
        self._some = asyncio.Event()
        self._under_way = 0
        self._idle = anyio.Event()
        self._tasks: TaskGroup

    def send(self, kind: str, *values: Any) -> None:
        """Send a message, with others that gather."""
        self._out.append((kind, *values))
        self._some.set()

    def give(self, files: Sequence[Assigned]) -> None:
        """Send files."""
        self.load.files += len(files)
        self.load.bytes += sum(file.item.file.identity.size for file in files)
        self.figures.in_flight = self.load.files
        self.send("files", [file_to_plain(file.number, file.need, file.item) for file in files])

    async def serve(self) -> None:
        """Exchange messages until cancelled. Raises `WorkerGoneError` and `JournalError`, both in a group."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._push)
            self._tasks.start_soon(self._pull)

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call the worker until it answers. Raises `WorkerGoneError`."""
        options = self._options
        while True:
            left = max(1.0, self._heard + options.silence - self._clock.monotonic())
            try:
                with anyio.fail_after(left):
                    result = await self.channel.call(method, *arguments)
            except (ChannelError, TimeoutError):
                if self._clock.monotonic() - self._heard >= options.silence:
                    raise WorkerGoneError(f"it has not answered for {options.silence:g} s") from None
                await anyio.sleep(options.pause)
            else:
                self._heard = self._clock.monotonic()
                return result

    def note_speed(self, now: float) -> None:
        """Take the files that were settled since the last call."""
        (at, files, size), self._noted = self._noted, (now, self.figures.files, self.figures.bytes)
        self.load.note(self.figures.files - files, self.figures.bytes - size, now - at)

    async def records_done(self) -> None:
        """Return once no record is being carried out."""
        while self._under_way:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _push(self) -> None:
        number = 0
        while True:
            await self._some.wait()
            self._some.clear()
            messages, self._out = self._out, []
            number += 1
            body = SealedBody.of(messages)
            self.bytes_down += len(body)
            await self.call("push", number, body)

    async def _pull(self) -> None:
        number = 0
        while not self.ended.is_set():  # nothing comes after that
            number += 1
            body = await self.call("pull", number, self._options.poll, self._linger())
            self.bytes_up += len(body)
            self.batches += 1
            for kind, answer, *values in body.value():
                if answer == NEWS:
                    self._news(kind, values)
                else:
                    self._under_way += 1
                    self._tasks.start_soon(self._carry_out, kind, answer, values)

    def _news(self, kind: str, values: Sequence[Any]) -> None:
        if kind == "ended":
            self.ended.set()
        self._reader.news(self, kind, values)

    async def _carry_out(self, kind: str, answer: int, values: Sequence[Any]) -> None:
        try:
            if kind == "call":
                await self._reader.call_granted()
                self.send("answer", answer, None)
                return
            result = await self.records.carry_out(kind, values)
            self._note_settled()
            self.send("answer", answer, result)
        except StaleRecordError:
            return
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def _note_settled(self) -> None:
        records = self.records
        files, size = records.settled_files + records.returned_files, records.settled_bytes + records.returned_bytes
        if files > self._gone[0]:
            self.load.files -= files - self._gone[0]
            self.load.bytes -= size - self._gone[1]
            self._gone = files, size
            self.figures.files, self.figures.bytes = records.settled_files, records.settled_bytes
            self.figures.in_flight = self.load.files
            self._reader.news(self, "room", ())
