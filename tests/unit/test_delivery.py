"""The delivery of one notification."""

from __future__ import annotations

import anyio
import pytest

from bulkup.api.notify.delivery import Delivery, deliver, pause
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind

REQUEST = ApiRequest("POST", "https://hooks.example/hunter2", secret_path=True)
DOWN = Problem(ProblemKind.UNREACHABLE, "cannot connect")


class Receiver:
    """Answers one attempt after another, each with a status or a problem."""

    def __init__(self, *answers: int | Problem) -> None:
        self.answers = list(answers)
        self.pauses: list[float] = []

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        assert request is REQUEST
        answer = self.answers.pop(0)
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        return ApiAnswer(answer, {"retry-after": "7"} if answer == 429 else {}, b"", 0.0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def deliver(self, seconds: float = 60.0) -> Delivery:
        return await deliver("ping_url", REQUEST, self, seconds, sleep=self.sleep)


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_success_is_the_end(status: int) -> None:
    receiver = Receiver(status)
    assert await receiver.deliver() == ("ping_url", None)


async def test_errors_that_may_pass_are_repeated_with_growing_pauses() -> None:
    receiver = Receiver(DOWN, 500, 503, 408, 200)
    assert await receiver.deliver() == ("ping_url", None)
    assert receiver.pauses == [1.0, 2.0, 4.0, 8.0]


async def test_the_receiver_may_ask_for_a_longer_pause() -> None:
    receiver = Receiver(429, 200)
    assert await receiver.deliver() == ("ping_url", None)
    assert receiver.pauses == [7.0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (404, "it answered 404"),
        (302, "it answered 302"),
        (Problem(ProblemKind.UNUSABLE, "its certificate has expired"), "its certificate has expired"),
    ],
    ids=str,
)
async def test_errors_that_stay_are_not_repeated(answer: int | Problem, reason: str) -> None:
    receiver = Receiver(answer)
    assert await receiver.deliver() == ("ping_url", reason)
    assert receiver.pauses == []


async def test_no_attempt_begins_after_the_time_is_up() -> None:
    """The reason is that of the last attempt."""
    receiver = Receiver(DOWN)
    assert await receiver.deliver(seconds=0.9) == ("ping_url", "cannot connect")
    assert receiver.pauses == []


async def test_a_receiver_that_does_not_answer_costs_the_time_limit() -> None:
    async def hang(request: ApiRequest) -> ApiAnswer:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.fail_after(30):
        assert await deliver("ping_url", REQUEST, hang, 0.05) == ("ping_url", "no answer within 0.05 s")


def test_pauses_have_a_limit() -> None:
    assert [pause(attempts, None) for attempts in (1, 2, 5, 500)] == [1.0, 2.0, 15.0, 15.0]
    assert pause(1, 3600.0) == 15.0
