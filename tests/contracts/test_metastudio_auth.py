"""The three ways to authenticate at MetaStudio: signed calls, a configured token, and the token of an IAM user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from provider_cases import BASE_URL, DATE, DIGEST, NOW, answer_of, items_of, rfc3339, specs_of, the_case

from bulkup.helpers.secrets import Secret
from bulkup.model.files import Identity
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt, Ticket
from bulkup.providers import Provider, ProviderConfig, create
from bulkup.providers.metastudio.signature import CallToSign, SigningKeys, sign

META = the_case("metastudio")
KEYS = {"access_key": Secret("AK-1"), "secret_key": Secret("SK-1")}
USER = {"iam_user": Secret("me"), "iam_domain": Secret("firm"), "iam_password": Secret("s3cret")}
DAY = 86_400.0


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
    """MetaStudio and IAM in one. It issues tokens t-1, t-2, ... and accepts all that are not refused."""

    clock: Clock = field(default_factory=Clock)
    life: float = DAY
    iam: list[ApiAnswer] = field(default_factory=list)  # answered first
    refused: set[str] = field(default_factory=set)
    code: str = "APIGW.0307"
    requests: list[ApiRequest] = field(default_factory=list)
    fetched: int = 0

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        if request.path == "/v3/auth/tokens":
            return self._token()
        token = request.headers.get("X-Auth-Token")
        if isinstance(token, Secret) and token.reveal() in self.refused:
            return answer_of({"error_code": self.code, "error_msg": "The token must be updated."}, 401)
        return answer_of(META.answer(items_of(META, "png")))

    def _token(self) -> ApiAnswer:
        if self.iam:
            return self.iam.pop(0)
        self.fetched += 1
        body = {"token": {"expires_at": rfc3339(self.clock.time + self.life)}}
        headers = {"x-subject-token": f"t-{self.fetched}"}
        return ApiAnswer(201, headers, json.dumps(body).encode(), self.clock.time)

    @property
    def shown(self) -> list[str]:
        """Return the tokens that calls were made with, in order."""
        tokens = [request.headers.get("X-Auth-Token") for request in self.requests]
        return [token.reveal() for token in tokens if isinstance(token, Secret)]


def provider_with(credentials: Mapping[str, Secret], clock: Clock | None = None, base_url: str = BASE_URL) -> Provider:
    return create("metastudio", ProviderConfig(base_url, credentials, META.settings, clock or Clock()))


async def ask(provider: Provider, service: Service) -> Ticket:
    (ticket,) = await provider.presign(specs_of(META, "png"), service)
    assert isinstance(ticket, Ticket)
    return ticket


async def refused(provider: Provider, service: Service) -> Problem:
    with pytest.raises(ProblemError) as raised:
        await ask(provider, service)
    return raised.value.problem


@pytest.mark.parametrize("prefix", ["", "/proxy/a%20b"])
@pytest.mark.parametrize("token", [None, Secret("temporary")])
async def test_a_call_is_signed_when_it_is_sent(prefix: str, token: Secret | None) -> None:
    """The signature covers host, path including the root's prefix, project, type and body."""
    credentials = {**KEYS, **({"security_token": token} if token else {})}
    service = Service()
    await ask(provider_with(credentials, base_url="https://h.example:8443" + prefix), service)
    (request,) = service.requests
    assert "Authorization" not in request.headers
    assert request.signed is not None
    plain = {"Content-Type": "application/json", "X-Project-Id": "p-1"}
    call = CallToSign("POST", "h.example:8443", f"{prefix}/v1/p-1/files", plain, request.body or b"")
    expected = sign(call, SigningKeys(KEYS["access_key"], KEYS["secret_key"], token), NOW + 7)
    assert request.signed(NOW + 7) == expected
    assert expected.get("X-Security-Token") == token
    assert "SK-1" not in repr(request) + repr(expected)


async def test_keys_are_preferred_to_tokens() -> None:
    """If both are configured."""
    service = Service()
    await ask(provider_with({**KEYS, "auth_token": Secret("given"), **USER}), service)
    await ask(provider_with({"auth_token": Secret("given"), **USER}), service)
    assert service.shown == ["given"]
    assert service.fetched == 0


@pytest.mark.parametrize("code", ["APIGW.0301", "APIGW.0307"])
async def test_a_refused_configured_token_is_final(code: str) -> None:
    """It cannot be replaced, so the call is not repeated."""
    service = Service(refused={"given"}, code=code)
    assert (await refused(provider_with({"auth_token": Secret("given")}), service)).kind is ProblemKind.UNAUTHORIZED
    assert service.shown == ["given"]


async def test_the_request_for_a_token() -> None:
    """It has the password and the region's project, goes to IAM's URL, and the token is in a header of the answer."""
    service = Service()
    provider = provider_with(USER)
    await ask(provider, service)
    asked, used = service.requests
    assert (asked.method, asked.base_url, asked.path) == ("POST", "https://iam.example", "/v3/auth/tokens")
    assert asked.headers == {"Content-Type": "application/json"}
    assert asked.body == (
        b'{"auth":{"identity":{"methods":["password"],"password":{"user":'
        b'{"domain":{"name":"firm"},"name":"me","password":"s3cret"}}},"scope":{"project":{"name":"cn-north-4"}}}}'
    )
    assert used.headers["X-Auth-Token"] == Secret("t-1")
    assert "s3cret" not in repr(asked)
    assert Secret("t-1") in list(provider.secrets)


async def test_simultaneous_calls_share_one_token() -> None:
    """IAM limits the number of tokens."""
    service = Service()
    provider = provider_with(USER)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask, provider, service)
    assert service.fetched == 1
    assert service.shown == ["t-1"] * 20


@pytest.mark.parametrize(("life", "margin"), [(DAY, 1800), (100.0, 10)])
async def test_a_token_is_renewed_before_it_expires(life: float, margin: float) -> None:
    """Half an hour before, or when a tenth of its lifetime is left."""
    clock = Clock()
    service, provider = Service(clock, life), provider_with(USER, clock)
    await ask(provider, service)
    clock.time = NOW + life - margin - 1
    await ask(provider, service)
    assert service.shown == ["t-1", "t-1"]
    clock.time = NOW + life - margin
    await ask(provider, service)
    assert service.shown == ["t-1", "t-1", "t-2"]


async def test_the_lifetime_of_a_token_is_counted_by_iams_clock() -> None:
    """A local clock that is a day off does no harm."""
    clock = Clock(NOW + DAY)
    headers = {"x-subject-token": "theirs", "date": DATE}
    first = ApiAnswer(201, headers, json.dumps({"token": {"expires_at": rfc3339(NOW + DAY)}}).encode(), clock.time)
    service, provider = Service(clock, iam=[first]), provider_with(USER, clock)
    for seconds in (0.0, DAY - 1801, 1.0):
        clock.time += seconds
        await ask(provider, service)
    assert service.shown == ["theirs", "theirs", "t-1"]


async def test_a_token_invalidated_by_a_new_password_is_renewed_once() -> None:
    """All other calls use the new one."""
    service, provider = Service(), provider_with(USER)
    await ask(provider, service)
    service.refused.add("t-1")
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, provider, service)
    assert service.fetched == 2
    assert service.shown.count("t-2") == 5


async def test_a_second_refusal_in_a_row_is_final() -> None:
    """The call is repeated once, and the message has a hint."""
    service = Service(refused={"t-1", "t-2", "t-3"})
    problem = await refused(provider_with(USER), service)
    assert problem.kind is ProblemKind.UNAUTHORIZED
    assert service.shown == ["t-1", "t-2"]


async def test_other_refusals_fetch_no_token() -> None:
    service = Service(refused={"t-1"}, code="APIGW.0301")
    assert (await refused(provider_with(USER), service)).kind is ProblemKind.UNAUTHORIZED
    assert service.fetched == 1


async def test_closing_calls_renew_a_token_too() -> None:
    service, provider = Service(), provider_with(USER)
    ticket = await ask(provider, service)
    service.refused.add("t-1")
    receipt = Receipt(DIGEST, Identity(1, 2, 3, 4, 5), None, verified=True, stored_at=NOW)
    await provider.confirm(ticket, receipt, service, again=False)
    assert service.shown == ["t-1", "t-1", "t-2"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_user_is_final(status: int) -> None:
    """The message names the settings to check, and not the password."""
    problem = await refused(provider_with(USER), Service(iam=[answer_of({"error": "s3cret"}, status)]))
    assert problem.kind is ProblemKind.UNAUTHORIZED
    assert all(word in problem.message for word in ("iam_user", "iam_domain", "iam_password", "cn-north-4"))
    assert "s3cret" not in problem.message


TOKEN = {"token": {"expires_at": "2023-11-15T22:13:20.000000Z"}}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answer_of(TOKEN, 201), ProblemKind.TRANSIENT),
        (answer_of(TOKEN, 201, **{"x-subject-token": ""}), ProblemKind.TRANSIENT),
        (answer_of(b"<html>", 201, **{"x-subject-token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({}, 201, **{"x-subject-token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({"token": []}, 201, **{"x-subject-token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({"token": {"expires_at": "soon"}}, 201, **{"x-subject-token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({"token": {"expires_at": 1_700_000_000}}, 201, **{"x-subject-token": "t"}), ProblemKind.TRANSIENT),
        (answer_of({}, 429), ProblemKind.THROTTLED),
        (answer_of({}, 500), ProblemKind.TRANSIENT),
        (answer_of({}, 301), ProblemKind.UNUSABLE),
    ],
)
async def test_an_invalid_answer_about_a_token_is_not_kept(answer: Any, kind: ProblemKind) -> None:
    """The next call fetches again, and no file can have been created."""
    service, provider = Service(iam=[answer]), provider_with(USER)
    problem = await refused(provider, service)
    assert (problem.kind, problem.maybe_created) == (kind, False)
    await ask(provider, service)
    assert service.shown == ["t-1"]
