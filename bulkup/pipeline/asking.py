"""One presign call from its intent to its tickets, in the only order that survives a kill at any instant."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.messages import FileState, Item, Kind, Outcome, Problem, ProblemError, Rejection, Ticket
from bulkup.pipeline.leases import renew_at
from bulkup.pipeline.problems import told
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.pipeline.scanner import spec_of


async def ask(run: Run, recorder: Recorder, items: Sequence[Item]) -> list[Item]:
    """Ask for tickets and return the items that got one; those rejected are settled. Raises `ProblemError`.

    The intent is on disk before the call, so that ids nobody saw are at least counted; the tickets are on disk before
    this returns, and so before any byte is sent.
    """
    await recorder.asked(items, [(item, item.ticket) for item in items if item.ticket is not None])
    for item in items:
        item.ticket = item.sent = None
    answers = await _call(run, recorder, items)
    rejected = [(item, a) for item, a in zip(items, answers, strict=True) if isinstance(a, Rejection)]
    ticketed = [(item, a) for item, a in zip(items, answers, strict=True) if isinstance(a, Ticket)]
    await recorder.ticketed(ticketed)
    now = run.clock.now()
    for item, ticket in ticketed:
        item.ticket = ticket
        item.renew_at = renew_at(ticket.expires_at, now, run.options.lease_margin)
    for item, rejection in rejected:
        recorder.settle(Outcome(item, FileState.REJECTED, Problem(Kind.REJECTED, rejection.reason)))
    run.counters.presign_files += len(ticketed)
    return [item for item, _ in ticketed]


async def _call(run: Run, recorder: Recorder, items: Sequence[Item]) -> Sequence[Ticket | Rejection]:
    run.counters.presign_calls += 1
    try:
        answers = await run.provider.presign([spec_of(item.file, item.digest) for item in items], run.call)
    except ProblemError as error:
        problem = told(error.problem, run.provider)
        if problem.maybe_created:
            await recorder.unknown_ids(len(items), problem.message)
        raise ProblemError(problem) from error.__cause__
    if len(answers) != len(items):
        # Assigning what is left would send a file to another one's URL; an adapter's own check should have said so.
        raise ProblemError(Problem(Kind.UNUSABLE, f"{len(answers)} tickets for {len(items)} files", maybe_created=True))
    return answers
