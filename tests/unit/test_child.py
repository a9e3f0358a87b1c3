"""The program of a sending process, run in this one: jobs go in, reports come out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import Digest, FoundFile, Identity, Source
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.pipeline.processes.child import Child
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import Plain, ReportKind, grant_to_plain, jobs_to_plain, problem_of
from bulkup.pipeline.send.attempt import Count

IDENTITY = Identity(5, 1, 1, 1, 1)
DIGEST = Digest(b"0123456789abcdef")
RECEIPT = Receipt(DIGEST, IDENTITY, DIGEST.hex, verified=True, stored_at=0.0)
PROBLEM = Problem(ProblemKind.THROTTLED, "later", 3.0)


class Parent:
    """The transport to the parent; decodes the messages written to it."""

    def __init__(self) -> None:
        self.messages: list[tuple[list[Plain], list[Plain]]] = []
        self._frames = Frames()

    def write(self, data: bytes) -> None:
        self.messages += self._frames.feed(data)


class Attempts:
    """A sender that acts by the path of the file."""

    def __init__(self, **acts: Callable[[Count], Awaitable[Receipt | Problem]]) -> None:
        self._acts = acts

    async def send(self, file: Ticketed, count: Count) -> Receipt | Problem:
        return await self._acts[file.item.file.path.decode()](count)


def jobs(**paths: int) -> list[Plain]:
    """Return a batch of jobs: the numbers of paths."""
    ticket = Ticket(SecretUrl("https://s/1"), "")
    items = [(number, Item(FoundFile(Source(b"/"), path.encode(), IDENTITY), ticket)) for path, number in paths.items()]
    return jobs_to_plain((number, Ticketed(item, ticket)) for number, item in items)


async def reported(
    attempts: Attempts, *messages: tuple[Any, Any], turns: int = 10
) -> list[tuple[list[Plain], list[Plain]]]:
    """Send messages to a process at once; return the messages that it writes after it was ready."""
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.data_received(frame("setup"))
        await child.setup
        child.begin(attempts, tasks)
        child.data_received(b"".join(map(frame, messages)))
        for _ in range(turns):
            await asyncio.sleep(0)
    assert parent.messages.pop(0) == ([], [])
    return parent.messages


async def late(count: Count) -> Problem:
    count(5)
    return PROBLEM


async def raises(count: Count) -> Problem:
    count(7)
    raise ProblemError(PROBLEM)


async def never(count: Count) -> Problem:
    count(3)
    await asyncio.Event().wait()
    raise AssertionError


async def fails(count: Count) -> Problem:
    raise ValueError("confidential")


async def test_reports_of_one_turn_share_a_message() -> None:
    """With the bytes sent, and the problem, whether returned or raised."""
    ((usual, reports),) = await reported(Attempts(a=late, b=raises), (jobs(a=1, b=2), False))
    assert usual == []
    assert [report[:3] for report in reports] == [(1, 5, ReportKind.PROBLEM), (2, 7, ReportKind.PROBLEM)]
    assert [problem_of(report) for report in reports] == [PROBLEM, PROBLEM]


async def test_usual_receipts_are_reported_by_their_md5_alone() -> None:
    """Others are reported in full: that of another version of the file, or after more bytes than the file has."""

    async def usual(count: Count) -> Receipt:
        count(IDENTITY.size)
        return RECEIPT

    async def again(count: Count) -> Receipt:
        await usual(count)
        return await usual(count)

    async def other(count: Count) -> Receipt:
        return (await usual(count))._replace(identity=IDENTITY._replace(inode=9))

    acts = {"a": usual, "b": again, "c": other, "d": usual}
    ((short, reports),) = await reported(Attempts(**acts), (jobs(a=1, b=2, c=3, d=4), False))
    assert short == [(1, DIGEST.value), (4, DIGEST.value)]
    assert [report[:3] for report in reports] == [(2, 10, ReportKind.SENT), (3, 5, ReportKind.SENT)]


@pytest.mark.parametrize("together", [True, False])
async def test_cancelled_jobs_are_reported(together: bool) -> None:
    """Also if the cancellation arrives with the jobs."""
    if together:
        messages = await reported(Attempts(a=never), (jobs(a=1), False), ((), True))
        assert messages == [([], [(1, 0, ReportKind.CANCELLED, "")])]
        return
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(a=never), tasks)
        child.data_received(frame("setup") + frame((jobs(a=1), False)))
        await asyncio.sleep(0)
        child.data_received(frame(((), True)))
    await asyncio.sleep(0)
    assert parent.messages[1:] == [([], [(1, 3, ReportKind.CANCELLED, "")])]


async def test_bytes_of_the_bandwidth_are_asked_for_and_granted() -> None:
    """A message without batches has the limit, and the bytes that may be sent."""
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(), tasks)
        child.data_received(frame("setup") + frame(grant_to_plain(1e6, 0)))
        turns = [child.throttle.request(100), child.throttle.request(50)]
        await asyncio.sleep(0)
        asked = [(-1, 100, ReportKind.BANDWIDTH, ""), (-1, 50, ReportKind.BANDWIDTH, "")]
        assert parent.messages[1:] == [([], asked)]
        child.data_received(frame(grant_to_plain(1e6, 120)))
        assert [turn is not None and turn.done() for turn in turns] == [True, False]
        child.data_received(frame(grant_to_plain(None, 0)))
        assert [turn is not None and turn.done() for turn in turns] == [True, True]


async def test_a_job_that_makes_no_progress_is_reported_on() -> None:
    """With messages that hold no reports, so that the parent can tell it from a process that hangs."""
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(a=never), tasks)
        progress = tasks.create_task(child.report_progress())
        await asyncio.sleep(0.25)
        assert parent.messages == [([], [])]  # it is ready, and has no jobs
        child.data_received(frame("setup") + frame((jobs(a=1), False)))
        async with asyncio.timeout(10):
            while len(parent.messages) < 4:
                await asyncio.sleep(0.01)
        progress.cancel()
        child.data_received(frame(((), True)))
    assert parent.messages[1:4] == [([], [(1, 3, ReportKind.PROGRESS, "")]), ([], []), ([], [])]


async def test_an_error_of_the_program_is_reported_without_its_text() -> None:
    ((_, reports),) = await reported(Attempts(a=fails), (jobs(a=1), False))
    assert reports[0][:3] == (1, 0, ReportKind.FAULT)
    assert "ValueError" in reports[0][3]
    assert "confidential" not in str(reports).replace('raise ValueError("confidential")', "")


def test_a_sending_process_imports_no_settings_terminal_or_journal() -> None:
    """So that it starts fast."""
    program = "import sys, bulkup.pipeline.processes.child; print(*sys.modules)"
    # -I: the environment could add modules, as it does when coverage is measured.
    out = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=True, text=True).stdout
    unwanted = {
        "pydantic",
        "structlog",
        "rich",
        "typer",
        "sqlite3",
        "graphql",
        "bulkup.journal",
        "bulkup.config.settings",
    }
    assert not unwanted & set(out.split())
