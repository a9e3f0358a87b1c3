"""The bounded pool that sends. A worker makes one attempt at a time and never sleeps: what failed goes back with a
time, and its slot serves another file meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import structlog

from bulkup.counters import Counters
from bulkup.messages import FileState, Item, Kind, Outcome, Problem, ProblemError, Receipt
from bulkup.pipeline.batcher import Batcher
from bulkup.pipeline.integrity import Proof, plain_etag, proof
from bulkup.pipeline.problems import fatal, told
from bulkup.pipeline.reading import CHUNK, Reader, StreamedBody, WholeBody
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.retry import Again, EndRun, GiveUp, Renew, after_attempt, note
from bulkup.pipeline.run import Run

_log = structlog.get_logger("bulkup.workers")
_RAN_OUT = Problem(Kind.EXPIRED, "its upload URL ran out before it could be used")
_MISMATCH = Problem(Kind.MISMATCH, "storage holds other bytes than were read: its ETag or checksum is not theirs")
_SMALL = CHUNK


class Workers:
    """The pool's shared part; `work` is run once per worker."""

    def __init__(self, run: Run, batcher: Batcher, recorder: Recorder, confirm: Callable[[Item], None]) -> None:
        self._run = run
        self._batcher = batcher
        self._recorder = recorder
        self._confirm = confirm
        self._follow_links = run.options.scan.symlinks != "skip"
        self._reader = Reader(run.options.readers, follow_links=self._follow_links)
        self.busy = 0

    async def work(self) -> None:
        """Send one file after the other until cancelled."""
        while True:
            item = await self._next()
            self._batcher.begun()
            if self._run.stop.requested:
                self._recorder.give_back(item)
                continue
            self.busy += 1
            problem = await self._attempt(item)
            self.busy -= 1
            if problem is not None:
                self._after(item, told(problem, self._run.provider))

    async def _next(self) -> Item:
        # Waiting for what is there already would cost a turn of the loop for every file.
        try:
            return self._batcher.ready.receive_nowait()
        except anyio.WouldBlock:
            return await self._batcher.ready.receive()

    async def _attempt(self, item: Item) -> Problem | None:
        if item.renew_at is not None and self._run.clock.now() >= item.renew_at:
            return _RAN_OUT
        item.attempts += 1
        held = min(item.file.identity.size, 2 * CHUNK)
        await self._run.memory.take(held)
        meter = _Meter(self._run.counters)
        try:
            return await self._send(item, meter)
        except ProblemError as error:
            return error.problem
        finally:
            meter.close()
            self._run.memory.give(held)

    async def _send(self, item: Item, meter: _Meter) -> Problem | None:
        body, ticket = await self._body(item), item.ticket
        assert ticket is not None
        headers = {}
        if ticket.content_md5 and isinstance(body, WholeBody):
            headers["Content-MD5"] = body.digest.content_md5
        answer = await self._run.transport.send(ticket, body, headers, meter.count)
        problem = self._run.provider.classify(answer, self._run.clock.now())
        if problem is not None:
            return problem
        if body.digest is None or body.identity is None:
            # An answer of success before the body had gone out cannot be about this body.
            return Problem(Kind.TRANSIENT, "storage answered before it had all bytes")
        if item.digest is not None and item.digest != body.digest:
            return Problem(Kind.CHANGED, "it changed after it was hashed")
        proven = proof(answer.headers, body.digest, body.data if isinstance(body, WholeBody) else None)
        if proven is Proof.MISMATCH:
            return _MISMATCH
        etag, verified = plain_etag(answer.headers), proven is Proof.MATCH
        item.digest = body.digest
        item.receipt = Receipt(body.digest, body.identity, etag, verified, self._run.clock.now())
        await self._accepted(item, verified=verified)
        return None

    async def _body(self, item: Item) -> WholeBody | StreamedBody:
        if item.file.identity.size <= _SMALL:
            return await self._reader.read(item.file)
        return StreamedBody(item.file, follow_links=self._follow_links)

    async def _accepted(self, item: Item, *, verified: bool) -> None:
        # The slot is free again only when the row is on disk: what a kill makes us send twice is then no more than
        # there are workers, however fast they are and however slow the disk.
        if self._run.provider.capabilities.confirms:
            await self._recorder.stored([item])
            self._confirm(item)
        else:
            state = FileState.UPLOADED if verified else FileState.UNVERIFIED
            await self._recorder.record(Outcome(item, state))

    def _after(self, item: Item, problem: Problem) -> None:
        now = self._run.clock.monotonic()
        note(item, problem, now)
        item.mismatches += problem.kind is Kind.MISMATCH
        item.refusals += problem.kind is Kind.REFUSED
        decision = after_attempt(problem, item, self._run.options.retry, now, self._run.random.random())
        _log.debug("attempt failed", path=item.file.name, reason=problem.message, next=type(decision).__name__)
        if isinstance(decision, Again):
            self._run.counters.retries += 1
            self._batcher.retry(item, decision.at)
        elif isinstance(decision, Renew):
            item.renewals += 1
            self._batcher.renew(item)
        elif isinstance(decision, GiveUp):
            self._recorder.settle(Outcome(item, decision.state, problem))
        elif isinstance(decision, EndRun):
            self._run.stop.fail(fatal(problem))
            self._recorder.give_back(item)


class _Meter:
    """Counts the bytes of one attempt, so that they can be taken off the progress when it ends."""

    __slots__ = ("_counters", "_sent")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._sent = 0

    def count(self, count: int) -> None:
        self._sent += count
        self._counters.bytes_sent += count
        self._counters.bytes_moving += count

    def close(self) -> None:
        self._counters.bytes_moving -= self._sent
