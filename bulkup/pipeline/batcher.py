"""Groups files that lack a ticket into presign calls.

`leases.group_size` decides when to ask and for how many files. `TicketRequest` is one call, `ApiCalls` makes
several at a time. Files with a ticket go to the ready queue.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence

from bulkup.model.files import extension_of
from bulkup.model.items import Item, Outcome, Ticketed
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.states import FileState
from bulkup.pipeline.api_calls import ApiCalls
from bulkup.pipeline.options import LARGE
from bulkup.pipeline.policy.fatal import refuses_every_file
from bulkup.pipeline.presign.leases import Demand, first_group_size, group_size
from bulkup.pipeline.presign.request import TicketRequest
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run


class Batcher:
    """Keeps files until their group is formed. Its methods never block."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes
        self._fresh: deque[tuple[float, Item]] = deque()
        self._lease: float | None = None
        self._undecided: list[tuple[Item, Problem]] = []  # refused before any file was accepted
        self._calls = ApiCalls(run, self)

    @property
    def grouping(self) -> int:
        """Files that wait for their group."""
        return len(self._fresh)

    @property
    def asking(self) -> int:
        """Files of calls under way."""
        return self._calls.files_under_way

    @property
    def waiting(self) -> int:
        """Files of failed calls that are made again later."""
        return self._calls.files_due

    def add(self, item: Item) -> None:
        """Take a file that needs a ticket."""
        self._fresh.append((self._run.clock.monotonic(), item))
        if len(self._fresh) >= self._run.options.batch_size or len(self._fresh) == 1:
            self._calls.wake()

    def renew(self, item: Item) -> None:
        """Take a file whose ticket is no longer good, before the others: it has waited already."""
        self._run.counters.presign_renewed += 1
        # It gets the age of the first file, or that file's wait would begin again.
        since = self._fresh[0][0] if self._fresh else self._run.clock.monotonic()
        self._fresh.appendleft((since, item))
        self._calls.wake()

    def ticket_used(self) -> None:
        """Look again where files wait: there is room for one more ticket."""
        if self._fresh:
            self._calls.wake()

    def wake(self) -> None:
        """Look again: no more files come, or a stop was requested."""
        self._settle_undecided()
        self._calls.wake()

    async def work(self) -> None:
        """Form groups and ask until cancelled. Raises `JournalError`."""
        await self._calls.work()

    def next_call(self, now: float) -> TicketRequest | None:
        """Return the request to begin now, None for none (see `CallSource`)."""
        if now < self._run.ticket_losses.ask_at:
            return None
        size = group_size(self._demand(now))
        if not size:
            return None
        if self._run.service_refusals.in_doubt:
            self._other_kind_first()
        items = self._group(size)
        return TicketRequest(items, self._run, self._routes, self._answered, self._refused_early)

    def next_due(self) -> float | None:
        """Return when the oldest file has waited for `group_age` and requests are not paused (see `CallSource`)."""
        if not self._fresh:
            return None
        return max(self._fresh[0][0] + self._run.options.group_age, self._run.ticket_losses.ask_at)

    def call_answered(self) -> None:
        """Settle refused files if this was the last call (see `CallSource`)."""
        self._settle_undecided()

    def give_back(self) -> None:
        """Leave all files here to the next run."""
        while self._fresh:
            self._routes.give_back(self._fresh.popleft()[1])
        undecided, self._undecided = self._undecided, []
        for item, _ in undecided:
            self._routes.give_back(item)

    def _answered(self, files: Sequence[Ticketed]) -> None:
        now = self._run.clock.monotonic()
        if files:
            # A group whose files were all rejected says nothing of leases.
            self._lease = min([file.renew_at - now for file in files if file.renew_at is not None], default=None)
        for file in files:
            self._routes.send(file)
        self._settle_undecided()

    def _refused_early(self, items: Sequence[Item], problem: Problem | None) -> None:
        """Keep files that were refused before any was accepted; a group, without a problem, is tried one by one."""
        refusals, now = self._run.service_refusals, self._run.clock.monotonic()
        if problem is None:
            refusals.group_refused = True
            since = self._fresh[0][0] if self._fresh else now
            self._fresh.extendleft((since, item) for item in reversed(items))
            self._calls.wake()
            return
        for item in items:
            refusals.refused(problem.message, extension_of(item.file.name))
            self._undecided.append((item, problem))
        if refusals.concern_every_file(other_kinds_wait=self._other_kind() is not None):
            self._run.stop.fail(refuses_every_file(problem, refusals))
            self.give_back()
        else:
            self._settle_undecided()

    def _settle_undecided(self) -> None:
        """Settle the refused files once another was accepted or refused for another reason, or no other file comes."""
        calls = self._calls
        last = self._no_more() and not (self._fresh or calls.under_way or calls.files_due)
        if not self._undecided or (self._run.service_refusals.undecided and not last):
            return
        undecided, self._undecided = self._undecided, []
        for item, problem in undecided:
            state = FileState.REJECTED if problem.kind is ProblemKind.REJECTED else FileState.FAILED
            self._routes.settle(Outcome(item, state, problem, by_service=state is FileState.REJECTED))

    def _group(self, size: int) -> list[Item]:
        """Take the next files, at most `size`: files of a suspected kind are apart from others, and come last."""
        kinds = self._run.refused_kinds
        if not kinds:
            return [self._fresh.popleft()[1] for _ in range(size)]
        good, suspected = deque[tuple[float, Item]](), deque[tuple[float, Item]]()
        for entry in self._fresh:
            (suspected if kinds.suspected(extension_of(entry[1].file.name)) else good).append(entry)
        taken, left = (good, suspected) if good else (suspected, good)
        group = [taken.popleft()[1] for _ in range(min(size, len(taken)))]
        self._fresh = taken + left
        return group

    def _other_kind(self) -> int | None:
        """Return the position of the first file here of a kind that was not refused, None where there is none."""
        refused = self._run.service_refusals.kinds
        kinds = (extension_of(item.file.name) for _, item in self._fresh)
        return next((number for number, kind in enumerate(kinds) if kind not in refused), None)

    def _other_kind_first(self) -> None:
        if number := self._other_kind():
            entry = self._fresh[number]
            del self._fresh[number]
            self._fresh.appendleft(entry)

    def _no_more(self) -> bool:
        run = self._run
        no_more = run.counters.scan_done or run.quota.reached is not None
        return no_more and not self._routes.files_to_hash()

    def _demand(self, now: float) -> Demand:
        options, limit, calls = self._run.options, self._run.worker_limit, self._calls
        return Demand(
            fresh=len(self._fresh),
            first_group=None if calls.answered else self._first_group(),
            oldest_age=now - self._fresh[0][0] if self._fresh else 0.0,
            no_more=self._no_more(),
            unused=self._routes.unused_tickets(),
            asked=calls.files_under_way,
            calls=calls.under_way,
            workers=limit.wanted,
            batch_size=options.batch_size,
            calls_in_flight=options.calls_in_flight,
            group_age=options.group_age,
            answered=calls.answered,
            lease=self._lease,
            rate=limit.rate(now),
            proven=self._run.storage_refusals.accepted,
            in_doubt=self._run.in_doubt,
            decides=self._run.earlier_origins.undecided
            and bool(self._fresh)
            and self._run.earlier_origins.decided_by(self._fresh[0][1]),
        )

    def _first_group(self) -> int | None:
        options = self._run.options
        sizes = [item.file.identity.size for _, item in itertools.islice(self._fresh, options.batch_size)]
        workers = self._run.worker_limit.wanted
        if options.adaptive and max(sizes, default=0) <= LARGE:
            # Over a link with latency, these begin before the answer to a second call could arrive.
            workers = max(workers, min(self._run.tunables.controller.unanswered, options.concurrency))
        return first_group_size(sizes, workers)
