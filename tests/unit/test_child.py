"""The program of a sending process, run in this one: jobs go in, reports come out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source
from bulkup.model.items import Item, Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.processes.child import Child
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import Plain, ReportKind, job_of, problem_of
from bulkup.pipeline.send.attempt import Count

PROBLEM = Problem(ProblemKind.THROTTLED, "later", 3.0)


class Parent:
    """The transport to the parent; decodes the messages written to it."""

    def __init__(self) -> None:
        self.messages: list[list[Plain]] = []
        self._frames = Frames()

    def write(self, data: bytes) -> None:
        self.messages += self._frames.feed(data)


class Attempts:
    """A sender that acts by the path of the file."""

    def __init__(self, **acts: Callable[[Count], Awaitable[Problem]]) -> None:
        self._acts = acts

    async def send(self, file: Ticketed, count: Count) -> Problem:
        return await self._acts[file.item.file.path.decode()](count)


def job(number: int, path: str) -> Plain:
    ticket = Ticket(SecretUrl("https://s/1"), "")
    item = Item(FoundFile(Source(b"/"), path.encode(), UNKNOWN_IDENTITY), ticket)
    return job_of(number, Ticketed(item, ticket))


async def reported(attempts: Attempts, *messages: tuple[Any, Any], turns: int = 10) -> list[list[Plain]]:
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
    assert parent.messages.pop(0) == []
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
    (reports,) = await reported(Attempts(a=late, b=raises), ([job(1, "a"), job(2, "b")], ()))
    assert [report[:3] for report in reports] == [(1, 5, ReportKind.PROBLEM), (2, 7, ReportKind.PROBLEM)]
    assert [problem_of(report) for report in reports] == [PROBLEM, PROBLEM]


@pytest.mark.parametrize("together", [True, False])
async def test_a_cancelled_job_is_reported(together: bool) -> None:
    """Also if its cancellation arrives with the job. Numbers of unknown jobs are ignored: those have been reported."""
    if together:
        messages = await reported(Attempts(a=never), ([job(1, "a")], ()), ((), [1, 99]))
        assert messages == [[(1, 0, ReportKind.CANCELLED, "")]]
        return
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(a=never), tasks)
        child.data_received(frame("setup") + frame(([job(1, "a")], ())))
        await asyncio.sleep(0)
        child.data_received(frame(((), [1])))
    await asyncio.sleep(0)
    assert parent.messages[1:] == [[(1, 3, ReportKind.CANCELLED, "")]]


async def test_a_job_that_makes_no_progress_is_reported_on() -> None:
    """With messages that hold no reports, so that the parent can tell it from a process that hangs."""
    child, parent = Child(), Parent()
    child.connection_made(cast("asyncio.Transport", parent))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(a=never), tasks)
        progress = tasks.create_task(child.report_progress())
        await asyncio.sleep(0.25)
        assert parent.messages == [[]]  # it is ready, and has no jobs
        child.data_received(frame("setup") + frame(([job(1, "a")], ())))
        async with asyncio.timeout(10):
            while len(parent.messages) < 4:
                await asyncio.sleep(0.01)
        progress.cancel()
        child.data_received(frame(((), [1])))
    assert parent.messages[1:4] == [[(1, 3, ReportKind.PROGRESS, "")], [], []]


async def test_an_error_of_the_program_is_reported_without_its_text() -> None:
    (reports,) = await reported(Attempts(a=fails), ([job(1, "a")], ()))
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
