"""One presign call from its intent to its tickets, in the only order that survives a kill at any instant."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.model.items import Item, Outcome
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Rejection, Ticket
from bulkup.pipeline.policy.redaction import redact
from bulkup.pipeline.presign.leases import good_for
from bulkup.pipeline.recorder import Recorder
from bulkup.pipeline.run import Run
from bulkup.pipeline.scan.decision import spec_of
from bulkup.providers import FileSpec


async def ask(run: Run, recorder: Recorder, items: Sequence[Item]) -> list[Item]:
    """Ask for tickets and return the items that got one; those rejected are settled. Raises `ProblemError`.

    The intent is on disk before the call, so that ids nobody saw are at least counted; the tickets are on disk before
    this returns, and so before any byte is sent.
    """
    wanted = [(item, spec) for item, spec in _with_specs(items) if not _rejected(run, recorder, item, spec)]
    if not wanted:
        return []
    items = [item for item, _ in wanted]
    await recorder.asked(items, [(item, item.ticket) for item in items if item.ticket is not None])
    for item in items:
        item.ticket = item.sent = None
    answers = await _call(run, recorder, wanted)
    rejected = [(item, a) for item, a in zip(items, answers, strict=True) if isinstance(a, Rejection)]
    ticketed = [(item, a) for item, a in zip(items, answers, strict=True) if isinstance(a, Ticket)]
    await recorder.ticketed(ticketed)
    for item, ticket in ticketed:
        lease(run, item, ticket)
    for item, rejection in rejected:
        recorder.settle(Outcome(item, FileState.REJECTED, Problem(ProblemKind.REJECTED, rejection.reason)))
    run.counters.presign_files += len(ticketed)
    return [item for item, _ in ticketed]


def lease(run: Run, item: Item, ticket: Ticket) -> None:
    """Give an item its ticket, and the time from which that must not be begun any more."""
    left = good_for(ticket.expires_at, run.clock.now(), run.options.lease_margin)
    item.ticket = ticket
    item.renew_at = None if left is None else run.clock.monotonic() + left


def _with_specs(items: Sequence[Item]) -> list[tuple[Item, FileSpec]]:
    return [(item, spec_of(item.file, item.digest)) for item in items]


def _rejected(run: Run, recorder: Recorder, item: Item, spec: FileSpec) -> bool:
    """Settle a file that the service does not take. Most were told so by the scanner; not those that were to be looked
    at again, and had changed."""
    rejection = run.provider.reject(spec)
    if rejection is not None:
        recorder.settle(Outcome(item, FileState.REJECTED, Problem(ProblemKind.REJECTED, rejection.reason)))
    return rejection is not None


async def _call(run: Run, recorder: Recorder, wanted: Sequence[tuple[Item, FileSpec]]) -> Sequence[Ticket | Rejection]:
    run.counters.presign_calls += 1
    try:
        answers = await run.provider.presign([spec for _, spec in wanted], run.call)
        _check(run, [item for item, _ in wanted], answers)
    except ProblemError as error:
        problem = redact(error.problem, run.provider)
        if problem.maybe_created:
            await recorder.unknown_ids(len(wanted), problem.message)
        raise ProblemError(problem) from error.__cause__
    return answers


def _check(run: Run, items: Sequence[Item], answers: Sequence[Ticket | Rejection]) -> None:
    """Raise `ProblemError` where assigning these answers would send a file to another one's URL."""
    if len(answers) != len(items):
        # An adapter's own check should have said so.
        raise ProblemError(
            Problem(ProblemKind.UNUSABLE, f"{len(answers)} tickets for {len(items)} files", maybe_created=True)
        )
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, Ticket) and run.issued_ids.to_another(answer.remote_id, item.file.full_path):
            # Within a call the adapter sees it; a cache between us and the service answers the same to several calls.
            text = "the service answered an id that another file has"
            raise ProblemError(Problem(ProblemKind.TRANSIENT, text, maybe_created=True))
