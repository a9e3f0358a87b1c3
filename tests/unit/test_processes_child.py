"""A sending process without a process: what it is told comes in, what it reports goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import UNKNOWN_IDENTITY, FoundFile, Source
from bulkup.model.items import Item
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.processes.child import Child
from bulkup.pipeline.processes.frames import Frames, frame
from bulkup.pipeline.processes.jobs import Came, Plain, job_of, problem_of
from bulkup.pipeline.send.attempt import Count

PROBLEM = Problem(ProblemKind.THROTTLED, "later", 3.0)


class Way:
    """Takes what is written."""

    def __init__(self) -> None:
        self.messages: list[list[Plain]] = []
        self._frames = Frames()

    def write(self, data: bytes) -> None:
        self.messages += self._frames.feed(data)


class Attempts:
    """Makes attempts as told, by the file's path."""

    def __init__(self, **acts: Callable[[Count], Awaitable[Problem | None]]) -> None:
        self._acts = acts

    async def send(self, item: Item, count: Count) -> Problem | None:
        return await self._acts[item.file.path.decode()](count)


def job(number: int, path: str) -> Plain:
    return job_of(
        number, Item(FoundFile(Source(b"/"), path.encode(), UNKNOWN_IDENTITY), Ticket(SecretUrl("https://s/1"), ""))
    )


async def reported(attempts: Attempts, *messages: tuple[Any, Any], turns: int = 10) -> list[list[Plain]]:
    """Tell a process all of this at once, and return the messages that come after it was ready."""
    child, way = Child(), Way()
    child.connection_made(cast("asyncio.Transport", way))
    async with asyncio.TaskGroup() as tasks:
        child.data_received(frame("setup"))
        await child.setup
        child.begin(attempts, tasks)
        child.data_received(b"".join(map(frame, messages)))
        for _ in range(turns):
            await asyncio.sleep(0)
    assert way.messages.pop(0) == []
    return way.messages


async def late(count: Count) -> Problem | None:
    count(5)
    return PROBLEM


async def raises(count: Count) -> Problem | None:
    count(7)
    raise ProblemError(PROBLEM)


async def never(count: Count) -> Problem | None:
    count(3)
    await asyncio.Event().wait()
    raise AssertionError


async def fails(count: Count) -> Problem | None:
    raise ValueError("confidential")


async def test_reports_of_one_turn_go_together() -> None:
    """With the bytes that went, whether a problem is returned or raised."""
    (reports,) = await reported(Attempts(a=late, b=raises), ([job(1, "a"), job(2, "b")], ()))
    assert [report[:3] for report in reports] == [(1, 5, Came.PROBLEM), (2, 7, Came.PROBLEM)]
    assert [problem_of(report) for report in reports] == [PROBLEM, PROBLEM]


@pytest.mark.parametrize("together", [True, False])
async def test_what_is_cancelled_is_said_to_be(together: bool) -> None:
    """Also where it comes with the job, before the attempt has begun; what is not known has been reported before."""
    if together:
        messages = await reported(Attempts(a=never), ([job(1, "a")], ()), ((), [1, 99]))
        assert messages == [[(1, 0, Came.CANCELLED, "")]]
        return
    child, way = Child(), Way()
    child.connection_made(cast("asyncio.Transport", way))
    async with asyncio.TaskGroup() as tasks:
        child.begin(Attempts(a=never), tasks)
        child.data_received(frame("setup") + frame(([job(1, "a")], ())))
        await asyncio.sleep(0)
        child.data_received(frame(((), [1])))
    await asyncio.sleep(0)
    assert way.messages[1:] == [[(1, 3, Came.CANCELLED, "")]]


async def test_a_fault_is_told_without_its_text() -> None:
    (reports,) = await reported(Attempts(a=fails), ([job(1, "a")], ()))
    assert reports[0][:3] == (1, 0, Came.FAULT)
    assert "ValueError" in reports[0][3]
    assert "confidential" not in str(reports).replace('raise ValueError("confidential")', "")
