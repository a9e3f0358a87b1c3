"""The calls for files in parts: for the tickets of parts, and for the end of an upload that an earlier run sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bulkup.helpers.event_logger import EventLogger
from bulkup.model.files import Algorithm
from bulkup.model.history import CallHistory
from bulkup.model.items import Item, Outcome, PartUpload, Ticketed
from bulkup.model.log_events import LogEvent
from bulkup.model.problems import Problem
from bulkup.model.states import FileState
from bulkup.pipeline.api_calls import ServiceCall
from bulkup.pipeline.presign.leases import renewal_time
from bulkup.pipeline.run import Run
from bulkup.providers import PartSpec

_log = EventLogger("bulkup.parts")


class PartOwner(Protocol):
    """The stage that made a call, and takes parts back that the call had no ticket for."""

    async def complete(self, upload: PartUpload) -> None:
        """Record that storage has all parts, and have the upload closed. Raises `JournalError`."""
        ...

    def fail(self, upload: PartUpload, outcome: Outcome) -> None:
        """Give up the file of an upload, for the reason for which one of its parts was given up."""
        ...

    def leave(self, upload: PartUpload) -> None:
        """Leave a file to the next run, with the parts that were sent or are on their way."""
        ...

    async def hashed(self, item: Item, algorithm: Algorithm) -> bool:
        """Hash a part for its ticket, and return whether that was possible. Otherwise its file is passed on."""
        ...

    def given_back(self, items: Sequence[Item]) -> None:
        """Leave parts that got no ticket to the next run."""
        ...


class PartTickets(ServiceCall):
    """Requests the tickets of parts of one file, for the first time or again, and passes the parts on to `send`."""

    files = 1

    def __init__(
        self,
        upload: PartUpload,
        items: Sequence[Item],
        run: Run,
        send: Callable[[Ticketed], None],
        owner: PartOwner,
    ) -> None:
        self.history = CallHistory()
        self._upload = upload
        self._items = items
        self._run = run
        self._send = send
        self._owner = owner

    async def make(self) -> bool:
        """Request the tickets, and pass the parts on. Raises `ProblemError`."""
        run = self._run
        if self._upload.ended:
            self._owner.given_back(self._items)
            return False
        if (algorithm := run.provider.capabilities.part_checksum) is not None:
            self._items = [one for one in self._items if one.digest or await self._owner.hashed(one, algorithm)]
            if not self._items:
                return False
        asked_at = run.clock.monotonic()
        specs = [PartSpec(item.part.number, item.digest) for item in self._items if item.part is not None]
        tickets = await run.provider.part_tickets(self._upload.ticket, specs, run.call)
        for item, ticket in zip(self._items, tickets, strict=True):
            item.ticket = ticket
            now, monotonic = run.clock.now(), run.clock.monotonic()
            renew_at = renewal_time(ticket.expires_at, now, monotonic, run.options.lease_margin)
            self._send(Ticketed(item, ticket, renew_at, asked_at))
        return True

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Log that the call is made again."""
        reason, now = problem.message, self._run.clock.monotonic()
        if self._run.warnings.admits(LogEvent.PRESIGN_FAILED, reason, now=now):
            _log.warning(LogEvent.PRESIGN_FAILED, reason=reason, again_in=seconds)

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Give up the file."""
        for item in self._items:
            self._owner.fail(self._upload, Outcome(item, state, problem))
        self._owner.given_back(self._items)

    def give_back(self) -> None:
        """Leave the file to the next run."""
        self._owner.given_back(self._items)


class PartsComplete(ServiceCall):
    """Records that all parts are stored, where an earlier run ended before it did so. It makes no request."""

    files = 1

    def __init__(self, upload: PartUpload, owner: PartOwner) -> None:
        self.history = CallHistory()
        self._upload = upload
        self._owner = owner

    async def make(self) -> bool:
        """Record it, and have the upload closed. Raises `JournalError`."""
        await self._owner.complete(self._upload)
        return False

    def log_repetition(self, problem: Problem, seconds: float) -> None:
        """Not asked of a call that makes no request."""
        raise NotImplementedError

    def give_up(self, state: FileState, problem: Problem) -> None:
        """Not asked of a call that makes no request."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Leave the file to the next run."""
        self._owner.leave(self._upload)
