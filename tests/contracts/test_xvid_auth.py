"""The two ways to authenticate at Xvid: a configured token, and the fetched token of an OAuth client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel
import pytest
from provider_cases import BASE_URL, NOW, answer_of, items_of, specs_of, the_case

from bulkup.helpers.secrets import Secret
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.providers import Provider, ProviderConfig, create

XVID = the_case("xvid")
CLIENT = {"client_id": Secret("id &1"), "client_secret": Secret("s3cret/+=")}
BAD_TOKEN = {"error": {"error_code": "0x0000003", "error_message": "Invalid access token"}}


@dataclass
class Clock:
    """A clock that a test sets."""

    time: float = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@dataclass
class Service:
    """A service that issues tokens t-1, t-2, ... and accepts all that are not refused."""

    clock: Clock = field(default_factory=Clock)
    life: Any = "7200"
    tokens: list[ApiAnswer] = field(default_factory=list)  # answered first
    refused: set[str] = field(default_factory=set)
    refusal: ApiAnswer = field(default_factory=lambda: answer_of(BAD_TOKEN, 403))
    requests: list[ApiRequest] = field(default_factory=list)
    fetched: int = 0

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        if request.path == "/v1/oauth2/token/":
            return self._token()
        if self.shown[-1].removeprefix("Bearer ") in self.refused:
            return self.refusal
        return answer_of(XVID.answer(items_of(XVID, "mp4")))

    def _token(self) -> ApiAnswer:
        if self.tokens:
            return self.tokens.pop(0)
        self.fetched += 1
        answer = answer_of({"access_token": f"t-{self.fetched}", "expires_in": self.life})
        return ApiAnswer(200, answer.headers, answer.body, self.clock.time)

    @property
    def shown(self) -> list[str]:
        """Return the headers that calls were made with, in order."""
        headers = [request.headers.get("Authorization") for request in self.requests]
        return [header.reveal() for header in headers if isinstance(header, Secret)]


def provider_with(credentials: dict[str, Secret], clock: Clock | None = None) -> Provider:
    return create("xvid", ProviderConfig(BASE_URL, credentials, XVID.settings, clock or Clock()))


async def ask(provider: Provider, service: Service) -> Ticket:
    (ticket,) = await provider.presign(specs_of(XVID, "mp4"), service)
    assert isinstance(ticket, Ticket)
    return ticket


async def refused(provider: Provider, service: Service) -> Problem:
    with pytest.raises(ProblemError) as raised:
        await ask(provider, service)
    return raised.value.problem


async def test_the_request_for_a_token() -> None:
    """A form with the service's grant type, which is not the standard's, and without an Authorization header."""
    service, provider = Service(), provider_with(CLIENT)
    await ask(provider, service)
    asked, _ = service.requests
    assert (asked.method, asked.path, asked.base_url) == ("POST", "/v1/oauth2/token/", None)
    assert asked.headers == {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    assert asked.body == (
        b"grant_type=client_credential&client_id=id+%261&client_secret=s3cret%2F%2B%3D&scope=mediahub%2Cmediahub_write"
    )
    assert dict(parse_qsl(asked.body.decode()))["client_secret"] == "s3cret/+="
    assert service.shown == ["Bearer t-1"]
    assert "s3cret" not in repr(asked)
    assert Secret("t-1") in list(provider.secrets)


async def test_a_configured_token_is_preferred_and_its_refusal_is_final() -> None:
    """It cannot be replaced, so the call is not repeated."""
    service = Service(refused={"given"})
    provider = provider_with({"token": Secret("given"), **CLIENT})
    assert (await refused(provider, service)).kind is ProblemKind.UNAUTHORIZED
    assert service.shown == ["Bearer given"]
    assert service.fetched == 0


async def test_simultaneous_calls_share_one_token() -> None:
    service, provider = Service(), provider_with(CLIENT)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, provider, service)
    assert service.fetched == 1
    assert service.shown == ["Bearer t-1"] * 20


@pytest.mark.parametrize(("life", "margin"), [("7200", 720.0), (7200, 720.0), ("86400", 1800.0), (" 100 ", 10.0)])
async def test_a_token_is_renewed_before_it_expires(life: Any, margin: float) -> None:
    """When a tenth of its lifetime is left, at most half an hour. The lifetime is a number sent as text."""
    clock = Clock()
    service, provider = Service(clock, life), provider_with(CLIENT, clock)
    await ask(provider, service)
    clock.time = NOW + float(life) - margin - 1
    await ask(provider, service)
    assert service.fetched == 1
    clock.time = NOW + float(life) - margin
    await ask(provider, service)
    assert service.shown[-1] == "Bearer t-2"


REFUSALS = {
    "403 and its code": answer_of(BAD_TOKEN, 403),
    "401 and a code": answer_of({"error": {"error_code": "0x0000009", "error_message": "Who?"}}, 401),
    "401 by a gateway": answer_of(b"", 401),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refused_token_is_renewed_once(refusal: str) -> None:
    """It may have been revoked. All other calls use the new one."""
    service, provider = Service(refusal=REFUSALS[refusal]), provider_with(CLIENT)
    await ask(provider, service)
    service.refused.add("t-1")
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, provider, service)
    assert service.fetched == 2
    assert service.shown.count("Bearer t-2") == 5


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_second_refusal_in_a_row_is_final(refusal: str) -> None:
    """The call is repeated once."""
    service = Service(refusal=REFUSALS[refusal], refused={"t-1", "t-2", "t-3"})
    assert (await refused(provider_with(CLIENT), service)).kind is ProblemKind.UNAUTHORIZED
    assert service.shown == ["Bearer t-1", "Bearer t-2"]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_client_is_final(status: int) -> None:
    """The message names the settings to check, and not the secret."""
    problem = await refused(provider_with(CLIENT), Service(tokens=[answer_of({"error": "s3cret/+="}, status)]))
    assert problem.kind is ProblemKind.UNAUTHORIZED
    assert "client_id and client_secret" in problem.message
    assert "s3cret" not in problem.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answer_of(b"<html>"), ProblemKind.TRANSIENT),
        (answer_of([]), ProblemKind.TRANSIENT),
        (answer_of({"expires_in": "7200"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "", "expires_in": "7200"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": 7, "expires_in": "7200"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": None}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": "soon"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": "0"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": "-5"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": "nan"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": "inf"}), ProblemKind.TRANSIENT),
        (answer_of({"access_token": "t", "expires_in": [7200]}), ProblemKind.TRANSIENT),
        (answer_of({}, 429), ProblemKind.THROTTLED),
        (answer_of({}, 500), ProblemKind.TRANSIENT),
        (answer_of({}, 404), ProblemKind.UNUSABLE),
    ],
)
async def test_an_invalid_answer_about_a_token_is_not_kept(answer: ApiAnswer, kind: ProblemKind) -> None:
    """The next call fetches again, and no file can have been created."""
    service, provider = Service(tokens=[answer]), provider_with(CLIENT)
    problem = await refused(provider, service)
    assert (problem.kind, problem.maybe_created) == (kind, False)
    await ask(provider, service)
    assert service.shown == ["Bearer t-1"]


async def test_a_failed_fetch_fails_all_waiting_calls() -> None:
    """So that a service that is down costs one timeout and not one for each call."""
    service, provider = Service(tokens=[answer_of({}, 503)]), provider_with(CLIENT)
    problems: list[Problem] = []

    async def asked() -> None:
        problems.append(await refused(provider, service))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(asked)
    assert len(service.requests) == 1
    assert problems == [Problem(ProblemKind.UNREACHABLE, "Xvid's token service answered 503")] * 20
    await ask(provider, service)
    assert service.shown == ["Bearer t-1"]


async def test_a_call_after_a_failed_fetch_fetches_again() -> None:
    """Only the calls that waited share the failure."""
    service, provider = Service(tokens=[answer_of({}, 500), answer_of({}, 429)]), provider_with(CLIENT)
    assert (await refused(provider, service)).kind is ProblemKind.TRANSIENT
    assert (await refused(provider, service)).kind is ProblemKind.THROTTLED
    await ask(provider, service)
    assert service.fetched == 1


async def test_after_a_cancelled_fetch_the_next_call_fetches() -> None:
    """A cancellation is not a failure of the token."""
    service, provider = Service(), provider_with(CLIENT)

    async def cut_off(request: ApiRequest) -> ApiAnswer:
        cut.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as cut:
            tasks.start_soon(ask, provider, service)
            await provider.presign(specs_of(XVID, "mp4"), cut_off)
    assert cut.cancelled_caught
    assert service.shown == ["Bearer t-1"]


async def test_a_broken_call_for_a_token_created_no_file() -> None:
    """The transport cannot know that, but the provider does."""

    async def broken(request: ApiRequest) -> ApiAnswer:
        problem = Problem(ProblemKind.TRANSIENT, "the connection broke", retry_after=3.0, maybe_created=True)
        raise ProblemError(problem) from ConnectionResetError()

    with pytest.raises(ProblemError) as raised:
        await provider_with(CLIENT).presign(specs_of(XVID, "mp4"), broken)
    assert raised.value.problem == Problem(ProblemKind.TRANSIENT, "the connection broke", retry_after=3.0)
    assert isinstance(raised.value.__cause__, ConnectionResetError)


async def test_other_refusals_fetch_no_token() -> None:
    """A pipeline that the client may not use stays forbidden with a new token."""
    forbidden = {"error": {"error_code": "0x0000009", "error_message": "Forbidden"}}
    service = Service(refusal=answer_of(forbidden, 403), refused={"t-1"})
    assert (await refused(provider_with(CLIENT), service)).kind is ProblemKind.UNUSABLE
    assert service.fetched == 1
