"""The parts that all stages of a run share, and the request to stop a run."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import field

import anyio

from bulkup.errors import BulkupError, ExitCode
from bulkup.helpers.alarm import Timeout
from bulkup.helpers.clock import Clock
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Journal
from bulkup.model.counters import Counted, Counters
from bulkup.model.files import Source
from bulkup.model.http import ApiCall
from bulkup.model.items import Result
from bulkup.pipeline.budget import Budget
from bulkup.pipeline.cut_off import CutOff
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.options import PipelineOptions
from bulkup.pipeline.pause import Pause
from bulkup.pipeline.policy.common_refusals import CommonRefusals
from bulkup.pipeline.policy.earlier_origins import EarlierOrigins
from bulkup.pipeline.policy.gates_by_host import HostGates
from bulkup.pipeline.policy.issued_tickets import IssuedTickets
from bulkup.pipeline.policy.quota import Quota
from bulkup.pipeline.policy.refused_kinds import RefusedKinds
from bulkup.pipeline.policy.repeated_warnings import RepeatedWarnings
from bulkup.pipeline.policy.ticket_losses import TicketLosses
from bulkup.pipeline.scan.own_files import NO_OWN_FILES, OwnFiles
from bulkup.pipeline.throttle import SharedThrottle
from bulkup.pipeline.tunables import Tunables
from bulkup.pipeline.worker_limit import WorkerLimit
from bulkup.providers import Provider
from bulkup.transport import Transport


class Stop:
    """A request to end early. Attempts under way are finished, all other files are given back to the next run.

    Every reason but `--max-duration` limits how long that may take: `wait_pressing` returns for those. `requested` says
    whether there is any reason, `why` are the requested exit codes, `error` is the first fatal error among the reasons.
    """

    def __init__(self) -> None:
        self.requested = False  # beside the event, because every file asks for it several times
        self.why: set[ExitCode] = set()
        self.error: BulkupError | None = None
        self._event = anyio.Event()
        self._pressing = anyio.Event()

    def request(self, code: ExitCode) -> None:
        """Ask the run to end with this code."""
        self.why.add(code)
        self.requested = True
        self._event.set()
        if code is not ExitCode.TIME_UP:
            self._pressing.set()

    def note(self, code: ExitCode) -> None:
        """Add a reason that stops nothing: the run takes no further files, and ends when those under way have ended."""
        self.why.add(code)

    def fail(self, error: BulkupError) -> None:
        """Ask the run to end because of an error that every other file would meet as well."""
        self.error = self.error or error
        self.request(error.exit_code)

    def withdraw(self, *codes: ExitCode) -> None:
        """Take back reasons that had no effect, because all files were settled by then."""
        self.why.difference_update(codes)
        if self.error is not None and self.error.exit_code in codes:
            self.error = None

    @property
    def presses(self) -> bool:
        """Whether a reason limits attempts to `grace` seconds."""
        return self._pressing.is_set()

    async def wait(self) -> None:
        """Return when a stop was requested."""
        await self._event.wait()

    async def wait_pressing(self) -> None:
        """Return when a stop was requested that limits attempts to `grace` seconds."""
        await self._pressing.wait()


@dataclass(slots=True)
class Run:
    """The parts of one run.

    `emit` is awaited with each group of results once they are on disk: of all files, or without `emits_uploaded` of
    those that have a problem. The scan passes over `own_files`. `timeout`
    limits how long a loop waits for its next event: tests pass one with a time of their own. `clock_skew` returns by
    how many seconds the service's clock is ahead of this machine's, None where that is unknown. `most_workers` is the
    largest number of workers that there has been room for; it begins with the option `concurrency`. `too_new` takes
    source and path of files that `min_age` leaves out, in the thread of the scan.
    """

    provider: Provider
    call: ApiCall
    transport: Transport
    journal: Journal
    clock: Clock
    options: PipelineOptions
    sources: Sequence[Source]
    emit: Callable[[Sequence[Result]], Awaitable[None]]
    tunables: Tunables = field(default_factory=Tunables)
    own_files: OwnFiles = NO_OWN_FILES
    unfinished: Callable[[int], Iterator[bytes]] | None = None
    too_new: Callable[[bytes, bytes], None] | None = None
    timeout: Timeout = anyio.move_on_after
    clock_skew: Callable[[], float | None] = lambda: None
    emits_uploaded: bool = True
    counters: Counters = field(default_factory=Counters)
    counted: Counted = field(default_factory=Counted)
    stop: Stop = field(default_factory=Stop)
    pause: Pause = field(default_factory=Pause)
    random: random.Random = field(default_factory=random.Random)
    gates: HostGates = field(init=False)
    ticket_losses: TicketLosses = field(init=False)
    service_refusals: CommonRefusals = field(init=False)
    storage_refusals: CommonRefusals = field(init=False)
    closing_refusals: CommonRefusals = field(init=False)
    cut_off: CutOff = field(default_factory=CutOff)
    earlier_origins: EarlierOrigins = field(default_factory=EarlierOrigins)
    refused_kinds: RefusedKinds = field(default_factory=RefusedKinds)
    warnings: RepeatedWarnings = field(default_factory=RepeatedWarnings)
    budget: Budget = field(init=False)
    memory: Budget = field(init=False)
    worker_limit: WorkerLimit = field(init=False)
    throttle: SharedThrottle = field(init=False)
    opener: FileOpener = field(init=False)
    issued: IssuedTickets = field(init=False)
    quota: Quota = field(init=False)
    most_workers: int = field(init=False)
    lost_sources: list[Source] = field(default_factory=list)
    walked_sources: list[Source] = field(default_factory=list)

    @property
    def in_doubt(self) -> bool:
        """Whether a new ticket is likely to be useless."""
        return self.ticket_losses.in_doubt or self.service_refusals.in_doubt or self.storage_refusals.in_doubt

    @property
    def takes_no_more(self) -> bool:
        """Whether no file will be taken from the scan any more."""
        return self.stop.requested or self.quota.reached is not None

    def __post_init__(self) -> None:
        self.issued = IssuedTickets(by_content=self.provider.capabilities.content_addressed)
        self.quota = Quota(self.options.max_files, self.options.max_bytes)
        self.opener = FileOpener(self.options.scan.symlinks, self.options.identity)
        self.gates = HostGates(self.options, self.tunables.gate)
        self.ticket_losses = TicketLosses(self.options.retry)
        # Refused files are kept until the cause is known. Others must fit into the budget beside them.
        enough = max(1, min(self.options.retry.common_refusals, self.options.in_flight // 2))
        self.service_refusals = CommonRefusals(enough)
        self.storage_refusals = CommonRefusals(enough)
        self.closing_refusals = CommonRefusals(enough)
        self.budget = Budget(self.options.in_flight)
        self.memory = Budget(self.options.memory)
        self.worker_limit = WorkerLimit(self.options.workers_at_first, self.counters)
        self.pause.on_resume(self.worker_limit.forget_rate)
        self.most_workers = self.options.concurrency
        self.throttle = SharedThrottle(self.clock, self.tunables.bandwidth)
