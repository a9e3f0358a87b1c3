"""A described service: reading answers, messages about answers that do not fit, calls, and URLs without a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_cases import BASE_URL, DATE, NOW, FakeCall, answer_of

from bulkup.config.description_parsing import parse_description
from bulkup.helpers.secrets import Secret
from bulkup.model.files import UNKNOWN_IDENTITY, Digest, Place, extension_of
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import AlreadyThere, Receipt, Rejection, Ticket
from bulkup.providers import FileSpec, NotYet, Provider, ProviderConfig, TicketAnswer, create

MD5 = Digest(bytes(range(16)))
CALL = {"path": "/v1/uploads", "headers": {"Authorization": "Bearer {token}"}, "item": {"name": "{name}"}}
BODY = {"files": "{items}"}
GROUP = {"batch_size": 10, "presign": {**CALL, "body": BODY}}
PATHS = {"tickets": "items", "url": "url", "id": "id"}


def service(table: Mapping[str, Any], secrets: Mapping[str, str] | None = None, **settings: Any) -> Provider:
    description = parse_description(dict(table))
    credentials = {"token": "s3cret-token"} if secrets is None else secrets
    values = {"http": description, "confirm": True, **settings}
    root = description.storage_root or BASE_URL
    return create("http", ProviderConfig(root, {name: Secret(one) for name, one in credentials.items()}, values))


def spec(path: str = "d/a.mp4", size: int = 5, digest: Digest | None = MD5) -> FileSpec:
    name = path.rpartition("/")[2]
    return FileSpec(name, path, extension_of(name), size, digest, NOW)


def ask(provider: Provider, specs: Sequence[FileSpec], *answers: Any) -> Sequence[TicketAnswer]:
    call = FakeCall(*(one if hasattr(one, "status") else answer_of(one, date=DATE) for one in answers))

    async def presign() -> Sequence[TicketAnswer]:
        return await provider.presign(specs, call)

    return asyncio.run(presign())


def ticket(table: Mapping[str, Any], entry: Any, one: FileSpec | None = None) -> Ticket:
    (answer,) = ask(service(table), [one or spec()], entry)
    assert isinstance(answer, Ticket)
    return answer


def refused(provider: Provider, specs: Sequence[FileSpec], *answers: Any) -> Problem:
    with pytest.raises(ProblemError) as raised:
        ask(provider, specs, *answers)
    return raised.value.problem


def single(**answer: Any) -> dict[str, Any]:
    return {"presign": CALL, "answer": {"url": "url", **answer}}


# Answers.


@pytest.mark.parametrize(
    ("paths", "entry", "expires_at"),
    [
        ({"expires": "e"}, {"e": "2023-11-14T23:13:20Z"}, NOW + 3600),
        ({"expires": "e"}, {"e": NOW + 60}, NOW + 60),
        ({"expires": "e"}, {"e": str(int(NOW + 60))}, NOW + 60),
        ({"expires": "e"}, {"e": (NOW + 60) * 1000}, NOW + 60),
        ({"expires": "e"}, {"e": "Tue, 14 Nov 2023 23:13:20 GMT"}, NOW + 3600),
        ({"expires_in": "e"}, {"e": 90}, NOW + 90),
        ({"expires_in": "e"}, {"e": "90"}, NOW + 90),
        ({"expires_in": "a", "expires": "e"}, {"a": 90, "e": NOW + 30}, NOW + 30),
        ({}, {}, None),
    ],
)
def test_the_end_of_a_lease(paths: dict[str, str], entry: dict[str, Any], expires_at: float | None) -> None:
    found = ticket(single(**paths), {"url": "https://s.example/1", **entry})
    assert found.expires_at == expires_at


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "1", "Content-Type": "t"},
        [["x-a", "1"], ["Content-Type", "t"]],
        ["x-a: 1", "Content-Type:t"],
        [{"name": "x-a", "value": "1"}, {"name": "Content-Type", "value": "t"}],
        [{"key": "x-a", "value": 1}, {"key": "Content-Type", "value": "t"}],
        {"x-a": ["1"], "Content-Type": ["t"], "Host": ["s.example"]},
    ],
)
def test_headers_in_every_form(headers: Any) -> None:
    """A table, pairs, objects, and the lists of Go. Values of the service are secrets unless they describe content."""
    found = ticket(single(headers="h"), {"url": "https://s.example/1", "h": headers})
    assert found.headers == {"x-a": Secret("1"), "Content-Type": "t"}


def test_headers_of_an_answer_replace_fixed_ones() -> None:
    table = {**single(headers="h"), "put": {"headers": {"content-type": "{content_type}", "X-Fixed": "{name}"}}}
    found = ticket(table, {"url": "https://s.example/1", "h": {"Content-Type": "t"}})
    assert found.headers == {"X-Fixed": "a.mp4", "Content-Type": "t"}


@pytest.mark.parametrize(
    "bad", [{"Transfer-Encoding": "chunked"}, {"a b": "1"}, {"x": "1\r\ny: 2"}, {"x": None}, "text"]
)
def test_headers_that_must_not_be_sent(bad: Any) -> None:
    problem = refused(service(single(headers="h")), [spec()], {"url": "https://s.example/1", "h": bad})
    assert problem.kind is ProblemKind.TRANSIENT
    assert "http.answer.headers" in problem.message


@pytest.mark.parametrize("fields", [{"key": "k", "policy": "p"}, [["key", "k"], ["policy", "p"]]])
def test_a_form(fields: Any) -> None:
    """Its fields keep their order, and its method is POST."""
    found = ticket(single(fields="f"), {"url": "https://s.example/", "f": fields})
    assert (found.method, found.form) == ("POST", (("key", Secret("k")), ("policy", Secret("p"))))


def test_a_file_in_parts() -> None:
    urls = ["https://s.example/1?partNumber=1", "https://s.example/1?partNumber=2"]
    found = ticket(
        {"presign": CALL, "answer": {"parts": "p[*].url", "id": "id"}}, {"id": "x", "p": [{"url": u} for u in urls]}
    )
    assert [found.url.reveal(), *(url.reveal() for url in found.more_urls)] == urls


def test_parts_that_are_too_few() -> None:
    provider = service({"max_size": "500GiB", "presign": CALL, "answer": {"parts": "p", "id": "id"}})
    problem = refused(
        provider, [spec(size=11 * 1024**3)], {"id": "x", "p": ["https://s.example/1", "https://s.example/2"]}
    )
    assert "too few" in problem.message


def test_ids() -> None:
    """A number is an id, too. Without a path, the id is the path of the URL."""
    assert ticket(single(id="id"), {"url": "https://s.example/1?sig=x", "id": 7}).remote_id == "7"
    assert ticket(single(), {"url": "https://s.example/a/b.mp4?sig=x"}).remote_id == "/a/b.mp4"


@pytest.mark.parametrize("bad", ["", ".", "..", "a\nb", "x" * 2000, None, True, ["a", "b"], {"a": 1}])
def test_what_is_no_id(bad: Any) -> None:
    """It would be part of the path of a later call."""
    problem = refused(service(single(id="id")), [spec()], {"url": "https://s.example/1", "id": bad})
    assert "http.answer.id" in problem.message


def test_a_relative_url() -> None:
    table = single(base="{base_url}/storage/v1")
    found = ticket(table, {"url": "/object/sign/a?token=t"})
    assert found.url.reveal() == f"{BASE_URL}/storage/v1/object/sign/a?token=t"


def test_a_file_that_is_there_already() -> None:
    table = {
        "checksum": "md5",
        "presign": {**CALL, "item": {"oid": "{md5_hex}"}},
        "answer": {"url": "u", "id": "oid", "already": "!u"},
    }
    (answer,) = ask(service(table), [spec()], {"oid": "00"})
    assert answer == AlreadyThere("00", {"id": "00"})


@pytest.mark.parametrize("reason", ["too large", {"code": 5, "message": "too large"}, [{"detail": "too large"}]])
def test_a_rejected_file(reason: Any) -> None:
    """The others of its group get their tickets."""
    table = {**GROUP, "answer": {**PATHS, "rejected": "error"}}
    items = [{"url": "https://s.example/1", "id": 1}, {"error": reason}]
    first, second = ask(service(table), [spec("a.mp4"), spec("b.mp4")], {"items": items})
    assert isinstance(first, Ticket)
    assert second == Rejection("api.example refuses it: too large")


def test_values_for_the_manifest() -> None:
    found = ticket(
        single(id="id", keep={"bucket": "b.name", "n": "n"}),
        {"url": "https://s.example/1", "id": 1, "b": {"name": "x"}, "n": 2},
    )
    assert found.remote == {"id": "1", "bucket": "x", "n": 2}


def test_a_url_in_the_manifest_has_no_signature() -> None:
    found = ticket(single(keep={"at": "url"}), {"url": "https://s.example/1?X-Amz-Signature=s3cret"})
    assert found.remote["at"] == "https://s.example/1"


def test_entries_are_matched_by_a_value() -> None:
    """In any order. Further entries are ignored."""
    table = {**GROUP, "answer": {**PATHS, "match": {"answer": "name", "file": "{name}"}}}
    items = [{"name": name, "url": f"https://s.example/{name}", "id": name} for name in ("c", "b", "x", "a")]
    found = ask(service(table), [spec("1/a"), spec("b"), spec("c")], {"items": items})
    assert [one.remote_id for one in found if isinstance(one, Ticket)] == ["a", "b", "c"]


def test_entries_in_a_table_by_its_keys() -> None:
    table = {**GROUP, "answer": {**PATHS, "match": {"key": "{path}"}}}
    entries = {path: {"url": f"https://s.example/{path}", "id": path} for path in ("d/b", "d/a")}
    found = ask(service(table), [spec("d/a"), spec("d/b")], {"items": entries})
    assert [one.remote_id for one in found if isinstance(one, Ticket)] == ["d/a", "d/b"]
    problem = refused(service(table), [spec("d/a"), spec("x")], {"items": entries})
    assert "http.answer.match names 1 of 2 files in 2 entries" in problem.message
    assert "found nothing" in refused(service(table), [spec("d/a"), spec("x")], {"itmes": entries}).message


def test_entries_are_matched_by_a_random_id() -> None:
    """The id that the call gave the file."""
    table = {**GROUP, "presign": {**CALL, "body": BODY, "item": {"ref": "{uuid}"}}}
    provider = service({**table, "answer": {**PATHS, "match": {"answer": "ref", "file": "{uuid}"}}})

    async def echo(request: ApiRequest) -> ApiAnswer:
        refs = [item["ref"] for item in json.loads(request.body or b"")["files"]]
        return answer_of(
            {"items": [{"ref": ref, "url": f"https://s.example/{ref}", "id": n} for n, ref in enumerate(refs)][::-1]}
        )

    found = asyncio.run(_ask_with(provider, echo, [spec("a"), spec("b")]))
    assert [one.remote_id for one in found if isinstance(one, Ticket)] == ["0", "1"]


async def _ask_with(provider: Provider, call: ApiCall, specs: Sequence[FileSpec]) -> Sequence[TicketAnswer]:
    return await provider.presign(specs, call)


def test_files_that_share_a_key_are_asked_for_one_after_the_other() -> None:
    table = {**GROUP, "answer": {**PATHS, "match": {"answer": "name", "file": "{name}"}}}
    answers = [{"items": [{"name": "a", "url": f"https://s.example/{n}", "id": n}]} for n in range(3)]
    answers[0]["items"].append({"name": "b", "url": "https://s.example/b", "id": "b"})
    found = ask(service(table), [spec("1/a"), spec("b"), spec("2/a"), spec("3/a")], *answers)
    assert [one.remote_id for one in found if isinstance(one, Ticket)] == ["0", "b", "1", "2"]


def test_ids_of_an_earlier_call_are_counted_if_a_later_one_fails() -> None:
    table = {**GROUP, "answer": {**PATHS, "match": {"answer": "name", "file": "{name}"}}}
    first = answer_of({"items": [{"name": "a", "url": "https://s.example/1", "id": 1}]})
    problem = refused(service(table), [spec("1/a"), spec("2/a")], first, answer_of({}, 401))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.UNAUTHORIZED, True)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (
            {"items": [{"url": "https://s.example/1", "id": 1}]},
            "{items: [1 x {url: text, id: number}]}, in which http.answer.tickets found 1 entries for 2 files",
        ),
        ({"itmes": []}, "{itmes: []}, in which http.answer.tickets found nothing"),
        ({"items": {"a": 1}}, "found {a: number}, not a list"),
        (
            {"items": [{"uploadUrl": "https://s.example/s3cr3t", "id": 1}] * 2},
            "{uploadUrl: text, id: number}, in which http.answer.url found nothing",
        ),
        ({"items": [{"url": ["https://s.example/s3cr3t"], "id": 1}] * 2}, "http.answer.url found 1 values, not a text"),
        ({"items": [{"url": "https://s.example/s3cr3t", "id": 1}] * 2}, "the same id or URL for two files"),
        ({"items": [{"url": "ftp://s.example/s3cr3t", "id": 1}] * 2}, "an upload URL for the scheme 'ftp'"),
    ],
)
def test_answers_that_do_not_fit(answer: Any, what: str) -> None:
    """The message has the shape of the answer, and nothing of its values."""
    problem = refused(service({**GROUP, "answer": PATHS}), [spec("a.mp4"), spec("b.mp4")], answer)
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert what in problem.message
    assert "s3cr3t" not in problem.message


def test_a_description_that_never_fits_ends_the_run() -> None:
    """Each call may create ids at the service. After an answer that fitted, a call is repeated as usual."""
    provider, wrong = service(single()), {"uploadUrl": "https://s.example/1"}
    kinds = [refused(provider, [spec()], wrong).kind for _ in range(3)]
    assert kinds == [ProblemKind.TRANSIENT, ProblemKind.TRANSIENT, ProblemKind.UNUSABLE]
    provider = service(single())
    ask(provider, [spec()], {"url": "https://s.example/1"})
    assert {refused(provider, [spec()], wrong).kind for _ in range(9)} == {ProblemKind.TRANSIENT}


def test_missing_and_repeated_keys() -> None:
    table = {**GROUP, "answer": {**PATHS, "match": {"answer": "name", "file": "{name}"}}}
    entry = {"url": "https://s.example/1", "id": 1, "name": "a"}
    problem = refused(service(table), [spec("a"), spec("b")], {"items": [entry, {**entry, "name": "c"}]})
    what = 'http.answer.match names 1 of 2 files in 2 entries: no entry has "b", but one has a text of length 1'
    assert what in problem.message
    problem = refused(service(table), [spec("a"), spec("b")], {"items": [entry, entry]})
    assert "found the same value in two entries" in problem.message


def test_an_expression_that_cannot_be_applied() -> None:
    problem = refused(service(single(id="length(@.n)")), [spec()], {"url": "https://s.example/1", "n": 12345678})
    assert "http.answer.id the expression cannot be applied to it" in problem.message
    assert "12345678" not in problem.message


def test_an_error_with_the_status_200() -> None:
    """Slack and GraphQL report errors so."""
    problem = refused(service(single(error="error")), [spec()], {"ok": False, "error": "invalid_auth"})
    assert (problem.kind, "invalid_auth" in problem.message) == (ProblemKind.REJECTED, True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (413, ProblemKind.REJECTED),
        (409, ProblemKind.TRANSIENT),
        (403, ProblemKind.UNUSABLE),
        (429, ProblemKind.THROTTLED),
    ],
)
def test_statuses(status: int, kind: ProblemKind) -> None:
    """Usual ones, and one whose meaning the description gives."""
    provider = service(single(error="e.m", statuses={"409": "retry"}))
    problem = refused(provider, [spec()], answer_of({"e": {"m": "because"}}, status, **{"retry-after": "7"}))
    assert (problem.kind, problem.retry_after) == (kind, 7.0)
    assert "because" in problem.message


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 400, ProblemKind.THROTTLED),
        ("SlowDown", 200, ProblemKind.THROTTLED),
        ("Denied", 409, ProblemKind.UNAUTHORIZED),
        (17, 500, ProblemKind.REJECTED),
        ("Other", 409, ProblemKind.TRANSIENT),
        (None, 422, ProblemKind.REJECTED),
        (["SlowDown"], 422, ProblemKind.REJECTED),
    ],
)
def test_codes_of_errors(code: Any, status: int, kind: ProblemKind) -> None:
    """They come before the status, also before one that means success."""
    codes = {"SlowDown": "throttled", "Denied": "unauthorized", "17": "rejected"}
    provider = service(single(error="m", statuses={"409": "retry"}, code="e.code", codes=codes))
    problem = refused(provider, [spec()], answer_of({"e": {"code": code}, "m": "because"}, status))
    assert problem.kind is kind
    assert f"answered {status}: because" in problem.message


def test_a_code_without_a_message() -> None:
    provider = service(single(code="code", codes={"13": "stop"}))
    problem = refused(provider, [spec()], {"code": 13})
    assert (problem.kind, problem.message) == (ProblemKind.UNUSABLE, "api.example answered 200")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "a", "https://s.example/1", "https://s.example/2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["items", "url", "id", "h", "f", "e", "p"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(body=JSON, status=st.sampled_from([200, 201, 204, 400, 500]))
def test_any_answer_gives_tickets_or_a_problem(body: Any, status: int) -> None:
    """With every path in use, and no values in the message."""
    paths = {**PATHS, "expires": "e", "headers": "h", "fields": "f", "parts": "p", "rejected": "r", "keep": {"k": "e"}}
    provider = service({**GROUP, "answer": paths})
    try:
        assert len(ask(provider, [spec("a"), spec("b")], answer_of(body, status))) == 2
    except ProblemError as error:
        assert "s.example" not in error.problem.message  # noqa: PT017  # either outcome is right


# Requests.


def test_the_request() -> None:
    provider = service({**GROUP, "answer": PATHS})
    call = FakeCall(answer_of({"items": [{"url": "https://s.example/1", "id": 1}]}))
    asyncio.run(_presign(provider, call))
    (request,) = call.requests
    assert (request.method, request.path) == ("POST", "/v1/uploads")
    assert json.loads(request.body or b"") == {"files": [{"name": "a.mp4"}]}
    assert request.headers == {"Authorization": Secret("Bearer s3cret-token"), "Content-Type": "application/json"}


async def _presign(provider: Provider, call: FakeCall) -> Sequence[TicketAnswer]:
    return await provider.presign([spec()], call)


def test_a_content_type_of_the_description() -> None:
    table = {"presign": {**CALL, "headers": {"content-type": "application/vnd.git-lfs+json"}}, "answer": {"url": "url"}}
    call = FakeCall(answer_of({"url": "https://s.example/1"}))
    asyncio.run(_presign(service(table, {}), call))
    assert call.requests[0].headers == {"content-type": "application/vnd.git-lfs+json"}


def test_a_form_as_body() -> None:
    table = {
        "presign": {
            **CALL,
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "item": {"n": "{path}", "s": "{size}"},
        },
        "answer": {"url": "url"},
    }
    call = FakeCall(answer_of({"url": "https://s.example/1"}))
    asyncio.run(_presign(service(table, {}), call))
    assert call.requests[0].body == b"n=d%2Fa.mp4&s=5"


def test_a_call_without_a_body() -> None:
    table = {"presign": {"method": "GET", "path": "/sign?name={path}&size={size}"}, "answer": {"url": "url"}}
    call = FakeCall(answer_of({"url": "https://s.example/1"}))
    asyncio.run(_presign(service(table, {}), call))
    assert (call.requests[0].method, call.requests[0].path, call.requests[0].body) == (
        "GET",
        "/sign?name=d%2Fa.mp4&size=5",
        None,
    )


def test_basic_credentials() -> None:
    table = {**single(), "secrets": {"user": "u", "password": "p"}}
    table["presign"] = {**CALL, "headers": {"Authorization": "Basic {basic}"}}
    provider, call = service(table, {"user": "u", "password": "p"}), FakeCall(answer_of({"url": "https://s.example/1"}))
    asyncio.run(_presign(provider, call))
    header = call.requests[0].headers["Authorization"]
    assert isinstance(header, Secret)
    assert header.reveal() == "Basic dTpw"
    assert "dTpw" in [secret.reveal() for secret in provider.secrets]


def test_client_credentials() -> None:
    """A token is fetched once, and anew when the service refuses it."""
    table = {
        **single(),
        "oauth": {"url": "https://login.example/t", "scope": "up", "fields": {"audience": "{base_url}"}},
    }
    provider = service(table, {"client_id": "c", "client_secret": "cs"})
    tokens = [answer_of({"access_token": f"t{n}", "expires_in": 9e8}) for n in range(2)]
    call = FakeCall(
        tokens[0],
        answer_of({"url": "https://s.example/1"}),
        answer_of({}, 401),
        tokens[1],
        answer_of({"url": "https://s.example/1"}),
    )
    asyncio.run(_twice(provider, call))
    first, *_, last = call.requests
    assert (first.base_url, first.path) == ("https://login.example", "/t")
    assert (
        first.body
        == b"grant_type=client_credentials&client_id=c&client_secret=cs&scope=up&audience=https%3A%2F%2Fapi.example"
    )
    authorization = last.headers["Authorization"]
    assert isinstance(authorization, Secret)
    assert authorization.reveal() == "Bearer t1"
    assert {"t0", "t1", "cs"} <= {secret.reveal() for secret in provider.secrets}


async def _twice(provider: Provider, call: FakeCall) -> None:
    for _ in range(2):
        await provider.presign([spec()], call)


def test_a_path_with_a_dot_segment() -> None:
    """A call with it would go elsewhere. Before the upload the file is rejected, afterwards it has failed."""
    table = {"presign": {"path": "/v1/{stem}/x"}, "answer": {"url": "url", "id": "id", "keep": {"folder": "f"}}}
    provider = service({**table, "confirm": {"path": "/c/{folder}/x"}}, {})
    assert refused(provider, [spec(".")], {}).kind is ProblemKind.REJECTED
    (one,) = ask(provider, [spec()], {"url": "https://s.example/1", "id": 1, "f": ".."})
    assert isinstance(one, Ticket)
    with pytest.raises(ProblemError) as raised:
        asyncio.run(_confirm(provider, one, FakeCall(answer_of({}))))
    assert raised.value.problem.kind is ProblemKind.FAILED


# Closing calls.

CONFIRM = {
    **single(id="id"),
    "confirm": {"path": "/v1/uploads/{id}/complete", "body": {"md5": "{md5_hex}", "name": "{name}", "size": "{size}"}},
}


def close(provider: Provider, *answers: Any, again: bool = False, poll: bool = False) -> tuple[Any, FakeCall]:
    (one,) = ask(provider, [spec()], {"url": "https://s.example/1", "id": "a/b"})
    assert isinstance(one, Ticket)
    call = FakeCall(*answers)
    receipt = Receipt(MD5, UNKNOWN_IDENTITY, None, True, NOW)

    async def closing() -> Any:
        return await (provider.poll(one, call) if poll else provider.confirm(one, receipt, call, again=again))

    return asyncio.run(closing()), call


async def _confirm(provider: Provider, one: Ticket, call: FakeCall) -> object:
    receipt = Receipt(MD5, UNKNOWN_IDENTITY, None, True, NOW)
    return await provider.confirm(one, receipt, call, again=False)


def test_a_closing_call() -> None:
    """It knows the file, and the headers are those of the presign call. The id is escaped."""
    result, call = close(service(CONFIRM), answer_of(b"", 204))
    (request,) = call.requests
    assert result == {}
    assert request.path == "/v1/uploads/a%2Fb/complete"
    assert json.loads(request.body or b"") == {"md5": MD5.hex, "name": "a.mp4", "size": 5}
    assert isinstance(request.headers["Authorization"], Secret)


def test_a_ticket_of_an_earlier_description() -> None:
    """Its file fails with the reason, and the next run uploads it anew."""
    (one,) = ask(service(single(id="id")), [spec()], {"url": "https://s.example/1", "id": "x"})
    assert isinstance(one, Ticket)
    with pytest.raises(ProblemError, match="has no name for the closing call") as raised:
        asyncio.run(_confirm(service(CONFIRM), one, FakeCall(answer_of({}))))
    assert raised.value.problem.kind is ProblemKind.FAILED


def test_an_upload_that_was_closed_before() -> None:
    """A conflict says so after a call whose answer was lost, and is an error otherwise."""
    assert close(service(CONFIRM), answer_of({}, 409), again=True)[0] == {}
    with pytest.raises(ProblemError) as raised:
        close(service(CONFIRM), answer_of({}, 409))
    assert raised.value.problem.kind is ProblemKind.FAILED


def test_polling_until_done() -> None:
    confirm = {"path": "/c/{id}", "done": "status == 'READY'", "failed": "error", "poll": "/p/{id}?x=1", "every": "3s"}
    provider = service({**single(id="id"), "confirm": confirm})
    assert close(provider, answer_of({"status": "BUSY"}))[0] == NotYet(3.0)
    assert close(provider, answer_of({}, 409), again=True)[0] == NotYet(3.0)
    result, call = close(provider, answer_of({"status": "READY"}), poll=True)
    assert (result, call.requests[0].method, call.requests[0].path) == ({}, "GET", "/p/a%2Fb?x=1")
    with pytest.raises(ProblemError) as raised:
        close(provider, answer_of({"status": "BUSY", "error": "virus found"}), poll=True)
    assert (raised.value.problem.kind, "virus found" in raised.value.problem.message) == (ProblemKind.FAILED, True)


def test_a_file_that_is_given_up() -> None:
    table = {**single(id="id"), "abandon": {"method": "DELETE", "path": "/v1/uploads/{id}?why={state}"}}
    provider = service(table)
    (one,) = ask(provider, [spec()], {"url": "https://s.example/1", "id": "x"})
    call = FakeCall(answer_of(b"", 204))

    async def abandon() -> None:
        assert isinstance(one, Ticket)
        await provider.abandon(one, FileState.FAILED, call)

    asyncio.run(abandon())
    assert (call.requests[0].method, call.requests[0].path) == ("DELETE", "/v1/uploads/x?why=FAILED")


# URLs without a call.

BLOB = {
    "url": "https://account.blob.core.windows.net/c/{path}?{sas}",
    "secrets": {"sas": "x"},
    "put": {"headers": {"x-ms-blob-type": "BlockBlob"}, "success": [201], "checksum": "content-md5"},
}
SAS = {"sas": "sv=2024&se=2023-11-15T00%3A00%3A00Z&sig=s3cret%2B"}


def test_a_url_without_a_call() -> None:
    provider = service(BLOB, SAS)
    (one,) = ask(provider, [spec("d/ü.mp4")], answer_of({}, 500))
    assert isinstance(one, Ticket)
    assert one.url.reveal() == f"https://account.blob.core.windows.net/c/d/%C3%BC.mp4?{SAS['sas']}"
    assert (one.remote_id, one.headers, one.success, one.proof) == (
        "/c/d/%C3%BC.mp4",
        {"x-ms-blob-type": "BlockBlob"},
        (201,),
        "content-md5",
    )
    assert one.expires_at == 1_700_006_400.0
    can = provider.capabilities
    assert (can.creates_ids, can.signs_locally, can.placed) == (False, True, True)
    assert provider.place(spec("d/ü.mp4")) == Place("/c/d/%C3%BC.mp4", exclusive=True)
    assert "s3cret" not in repr(one) + provider.scope


def test_a_secret_in_the_path_of_a_url_is_not_part_of_an_id() -> None:
    table = {"url": "https://h.example/{key}/{path}", "secrets": {"key": "x"}}
    provider = service(table, {"key": "s3cret-key"})
    (one,) = ask(provider, [spec()], answer_of({}, 500))
    assert isinstance(one, Ticket)
    assert one.url.reveal() == "https://h.example/s3cret-key/d/a.mp4"
    assert one.remote_id == "/***/d/a.mp4"
    place = provider.place(spec())
    assert place is not None
    assert "s3cret" not in place.name


def test_a_url_by_digest() -> None:
    """Files with the same bytes share it, and it is no place of theirs."""
    provider = service({"url": "https://h.example/{sha256_hex}", "checksum": "sha256"}, {})
    can = provider.capabilities
    assert (can.content_addressed, can.placed, can.checksum_first) == (True, False, "sha256")
    assert provider.reject(spec(digest=None)) is None


def test_the_place_of_a_file() -> None:
    """What only one file can have. A preview shows no secret in it."""
    table = {**single(), "place": "{project_id}/{name}"}
    provider = service(table, project_id="p-1")
    assert provider.capabilities.placed
    assert provider.place(spec("d/a.mp4")) == provider.place(spec("e/a.mp4")) == Place("p-1/a.mp4", exclusive=True)
    assert not service(single()).capabilities.placed
    masked = service({**single(), "place": "{token}/{name}"}).place(spec())
    assert masked == Place("***/a.mp4", exclusive=True)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_the_number_of_parts(size: int, count: int) -> None:
    table = {"part_size": 10, **single(), "presign": {"path": "/u?n={part_count}", "item": {"n": "{part_count}"}}}
    call = FakeCall(answer_of({"url": "https://s.example/1"}))
    asyncio.run(_ask_with(service(table), call, [spec(size=size)]))
    assert call.requests[0].path == f"/u?n={count}"
    assert json.loads(call.requests[0].body or b"") == {"n": count}


def test_which_files_are_taken() -> None:
    provider = service(
        {"url": "https://h.example/{path}", "extensions": ["mp4", "MOV"], "max_size": 10, "min_size": 2}, {}
    )
    assert provider.reject(spec("a.mov")) is None
    for wrong in (spec("a.txt"), spec("mp4"), spec("a.mp4", 11), spec("a.mp4", 1)):
        assert provider.reject(wrong) is not None
    others = service({"url": "https://h.example/{path}", "extensions": {"mp4": "video", "*": "other"}}, {})
    assert others.reject(spec("a.txt")) is None
    assert others.reject(spec("mp4")) is not None


def test_a_preview_needs_no_secrets() -> None:
    """It makes no call, and has none."""
    assert service(BLOB, {}).place(spec()) == service(BLOB, SAS).place(spec())


def test_the_visible_part_of_an_account() -> None:
    """Other values of it mean another destination; another key does not."""
    table = {**single(), "values": {"bucket": "b"}}
    table["presign"] = {**CALL, "path": "/v1/{project_id}/{bucket}"}
    assert service(table, project_id="p-1").scope == "b/p-1"
    assert replace(service(table, project_id="p-1").capabilities) == service(table, project_id="p-2").capabilities
