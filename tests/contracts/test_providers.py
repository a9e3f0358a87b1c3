"""One suite over every provider: what it asks, what it takes for an answer, and what it makes of everything else.

A new provider is one more line in `CASES`. Each is driven with plain values through a fake `ApiCall`, and once more
through the real transport with the HTTP client mocked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from hypothesis import given
from hypothesis import strategies as st

from bulkup.clock import SystemClock
from bulkup.messages import Kind, Problem, ProblemError, Rejection, Ticket
from bulkup.providers import PROVIDERS, FileSpec, Provider, ProviderConfig, create
from bulkup.providers.magic_hour import TYPE_OF
from bulkup.secrets import Secret
from bulkup.transport import Transport, TransportOptions
from bulkup.wire import ApiAnswer, ApiRequest

BASE_URL = "https://api.example"
NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # is NOW
Item = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A service as the suite needs to know it.

    `url` and `id` are keys of an item; `error` is the body of a refusal, with its `said`; `answer` makes the body of an
    answer of items; `lease` sets when a ticket ends, in seconds after the service's own time.
    """

    name: str
    credential: str
    header: str
    path: str
    url: str
    id: str
    item: Callable[[int, str], Item]
    answer: Callable[[Sequence[Any]], Any]
    asked: Callable[[Any], list[str]]  # the extensions, in order, of a request's body
    error: Callable[[str], Any]
    lease: Callable[[Item, float], Item]
    keyed: bool = False  # the answer names the file it is for, so its order means nothing


def _move_answer(items: Sequence[Any]) -> Any:
    return {"data": {f"f{n}": item for n, item in enumerate(items)}}


CASES = [
    Case(
        name="magic-hour",
        credential="token",
        header="Bearer {}",
        path="/v1/files/upload-urls",
        url="upload_url",
        id="file_path",
        item=lambda n, extension: {
            "upload_url": f"https://videos.example/api-assets/{n}/v.{extension}?auth-value={n}",
            "expires_at": "2023-11-14T23:13:20Z",
            "file_path": f"api-assets/{n}/v.{extension}",
        },
        answer=lambda items: {"items": list(items)},
        asked=lambda body: [item["extension"] for item in body["items"]],
        error=lambda said: {"message": said},
        lease=lambda item, seconds: {**item, "expires_at": _rfc3339(NOW + seconds)},
    ),
    Case(
        name="move-ugc",
        credential="api_key",
        header="{}",
        path="/ugc/graphql",
        url="presignedUrl",
        id="id",
        item=lambda n, extension: {
            "id": f"file-{n}",
            "presignedUrl": f"https://s3.example/{n}.{extension}?AWSAccessKeyId=A&Signature={n}&Expires=1700003600",
        },
        answer=_move_answer,
        asked=lambda body: [body["variables"][f"t{n}"] for n in range(len(body["variables"]) // 2)],
        error=lambda said: {"errors": [{"message": said}]},
        lease=lambda item, seconds: {
            **item,
            "presignedUrl": f"https://s3.example/{item['id']}?Expires={NOW + seconds:.0f}",
        },
        keyed=True,
    ),
    Case(
        name="local",
        credential="token",
        header="Bearer {}",
        path="/local/v1/tickets",
        url="url",
        id="id",
        item=lambda n, extension: {
            "url": f"https://127.0.0.1:1/b/{n}.{extension}?X-Amz-Signature={n}",
            "id": f"local/{n}.{extension}",
            "expires_in": 3600,
        },
        answer=lambda items: {"tickets": list(items)},
        asked=lambda body: [item["extension"] for item in body["files"]],
        error=lambda said: {"message": said},
        lease=lambda item, seconds: {**item, "expires_in": seconds},
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
EXTENSIONS = ["mp4", "mp3", "png", "wav", "webm"]


def _rfc3339(then: float) -> str:
    return dt.datetime.fromtimestamp(then, dt.UTC).isoformat().replace("+00:00", "Z")


def provider_of(case: Case, secret: str = "s3cret-key-0001", base_url: str = BASE_URL) -> Provider:
    return create(case.name, ProviderConfig(base_url, {case.credential: Secret(secret)}))


def specs_of(*extensions: str) -> list[FileSpec]:
    return [
        FileSpec(f"n{n}.{extension}", f"d/n{n}.{extension}", extension, n) for n, extension in enumerate(extensions)
    ]


def answer_of(body: Any, status: int = 200, **headers: str) -> ApiAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ApiAnswer(status, {"content-type": "application/json", **headers}, raw, NOW)


class FakeCall:
    """Answers every call alike and keeps what was asked."""

    def __init__(self, answer: ApiAnswer) -> None:
        self.answer = answer
        self.requests: list[ApiRequest] = []

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request)
        return self.answer


def body_of(request: ApiRequest) -> Any:
    assert request.headers["Content-Type"] == "application/json"
    return json.loads(request.body or b"")


def presign(case: Case, answer: ApiAnswer, specs: Sequence[FileSpec], **config: str) -> list[Ticket]:
    tickets = asyncio.run(_presign(provider_of(case, **config), FakeCall(answer), specs))
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    return [ticket for ticket in tickets if isinstance(ticket, Ticket)]


async def _presign(provider: Provider, call: FakeCall, specs: Sequence[FileSpec]) -> Sequence[Ticket | Rejection]:
    return await provider.presign(specs, call)


def refusal(case: Case, answer: ApiAnswer, specs: Sequence[FileSpec] | None = None, **config: str) -> Problem:
    """Return the problem that this answer is; no ticket at all comes of it."""
    with pytest.raises(ProblemError) as raised:
        presign(case, answer, specs if specs is not None else specs_of(*EXTENSIONS), **config)
    return raised.value.problem


def items_of(case: Case, *extensions: str) -> list[Item]:
    return [case.item(n, extension) for n, extension in enumerate(extensions)]


def test_every_provider_is_in_the_suite() -> None:
    """Whoever adds one adds it here."""
    assert {case.name for case in CASES} == set(PROVIDERS)


@every_case
def test_there_is_one_ticket_per_file_in_the_order_asked(case: Case) -> None:
    """One call, and the n-th ticket is for the n-th file."""
    call = FakeCall(answer_of(case.answer(items_of(case, *EXTENSIONS))))
    tickets = asyncio.run(_presign(provider_of(case), call, specs_of(*EXTENSIONS)))
    assert [ticket.remote_id for ticket in tickets if isinstance(ticket, Ticket)] == [
        item[case.id] for item in items_of(case, *EXTENSIONS)
    ]
    assert [ticket.url.reveal() for ticket in tickets if isinstance(ticket, Ticket)] == [
        item[case.url] for item in items_of(case, *EXTENSIONS)
    ]
    (request,) = call.requests
    assert (request.method, request.path) == ("POST", case.path)
    assert case.asked(body_of(request)) == EXTENSIONS


@every_case
def test_a_ticket_is_a_put_without_headers_of_its_own(case: Case) -> None:
    """A signature of version 2 covers Content-Type and Content-MD5, so no provider asks for either."""
    (ticket,) = presign(case, answer_of(case.answer(items_of(case, "mp4"))), specs_of("mp4"))
    assert (ticket.method, dict(ticket.headers), ticket.content_md5) == ("PUT", {}, False)


@every_case
def test_the_manifest_gets_what_the_service_answered_but_no_url(case: Case) -> None:
    """A signed URL is a credential, also after it was used."""
    (ticket,) = presign(case, answer_of(case.answer(items_of(case, "mp4"))), specs_of("mp4"))
    assert ticket.remote[case.id] == ticket.remote_id
    assert "http" not in json.dumps(dict(ticket.remote))


@every_case
def test_unknown_keys_are_passed_over(case: Case) -> None:
    """A service may add to its answers."""
    items = [{**item, "new": {"x": [1]}} for item in items_of(case, "mp4")]
    assert len(presign(case, answer_of(case.answer(items) | {"also": None}), specs_of("mp4"))) == 1


@every_case
@pytest.mark.parametrize("change", [-1, 1, -5])
def test_another_number_of_items_is_refused(case: Case, change: int) -> None:
    """One less or one more would shift every ticket behind it to another file."""
    items = items_of(case, *EXTENSIONS, "mp4")[: len(EXTENSIONS) + change]
    problem = refusal(case, answer_of(case.answer(items)))
    assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)


@every_case
def test_a_shuffled_answer_never_shifts_a_ticket(case: Case) -> None:
    """Where items are told apart by a key their order means nothing; where a type shows the order, it is checked."""
    items = items_of(case, *EXTENSIONS)
    if case.keyed:
        turned = {"data": dict(reversed(case.answer(items)["data"].items()))}
        tickets = presign(case, answer_of(turned), specs_of(*EXTENSIONS))
        assert [ticket.remote_id for ticket in tickets] == [item[case.id] for item in items]
    elif case.name == "magic-hour":
        problem = refusal(case, answer_of(case.answer(items[::-1])))
        assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)


@every_case
@pytest.mark.parametrize("key", ["id", "url"])
def test_two_files_are_never_given_one_place(case: Case, key: str) -> None:
    """The same id or URL twice would have one file overwrite the other."""
    name = getattr(case, key)
    items = items_of(case, "mp4", "mp4", "mp4")
    items[2] = {**items[2], name: items[0][name]}
    problem = refusal(case, answer_of(case.answer(items)), specs_of("mp4", "mp4", "mp4"))
    assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)


MALFORMED: dict[str, Callable[[Case, list[Item]], Any]] = {
    "html": lambda case, items: b"<html><body>Sign in to the airport's Wi-Fi</body></html>",
    "empty": lambda case, items: b"",
    "not utf-8": lambda case, items: b'{"items": "\xff"}',
    "json list": lambda case, items: items,
    "json null": lambda case, items: None,
    "no items": lambda case, items: {},
    "items of null": lambda case, items: case.answer([None] * len(items)),
    "items that are texts": lambda case, items: case.answer(["x"] * len(items)),
    "null instead of items": lambda case, items: {"items": None, "tickets": None, "data": None},
    "items as an object": lambda case, items: {"items": {}, "tickets": {}, "data": []},
    "id missing": lambda case, items: case.answer([_without(item, case.id) for item in items]),
    "url missing": lambda case, items: case.answer([_without(item, case.url) for item in items]),
    "id a number": lambda case, items: case.answer([{**item, case.id: 7} for item in items]),
    "url a list": lambda case, items: case.answer([{**item, case.url: [item[case.url]]} for item in items]),
    "id null": lambda case, items: case.answer([{**item, case.id: None} for item in items]),
    "id empty": lambda case, items: case.answer([{**item, case.id: ""} for item in items]),
    "one bad among good": lambda case, items: case.answer([*items[:-1], None]),
}


def _without(item: Item, key: str) -> Item:
    return {name: value for name, value in item.items() if name != key}


@every_case
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_answer_is_refused_as_a_whole(case: Case, kind: str) -> None:
    """No ticket comes of it, the ids behind it are counted, and the call may be made again."""
    body = MALFORMED[kind](case, items_of(case, *EXTENSIONS))
    problem = refusal(case, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)


@every_case
@pytest.mark.parametrize(
    "url",
    [
        "ftp://s.example/k?sig",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//s.example/k",
        "/k?sig",
        "k",
        "https://",
        "https:///k",
        "http://s.example/k?sig",
        "https://user@s.example/k",
        "https://user:pw@s.example/k",
        "https://@s.example/k",
        "https://s.example/k\r\nX-Evil: 1",
        "https://s.example/k\n",
        "https://s.example/a b",
        "https://s.example/\x00",
        "https://s.example/\x7f",
        "https://s.example/\u00e9",
        "https://s.example\\@evil.example/",
        "https://s.example:port/k",
        "https://s.example:99999/k",
        "https://[::1/k",
    ],
)
def test_an_upload_url_that_leads_elsewhere_is_refused(case: Case, url: str) -> None:
    """Another scheme, plain http beside an https API, a user part, or characters that break a request line."""
    items = items_of(case, "mp4", "mp4")
    items[1] = {**items[1], case.url: url}
    problem = refusal(case, answer_of(case.answer(items)), specs_of("mp4", "mp4"))
    assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)
    assert "sig" not in problem.message


@every_case
def test_plain_http_is_taken_where_the_api_itself_is_http(case: Case) -> None:
    """A service on this machine needs no TLS."""
    item = {**case.item(0, "mp4"), case.url: "http://127.0.0.1:9/k?Expires=1700000100"}
    answer = answer_of(case.answer([item]))
    assert presign(case, answer, specs_of("mp4"), base_url="http://127.0.0.1:8")
    assert refusal(case, answer, specs_of("mp4")).maybe_created


@every_case
def test_a_lease_is_counted_by_the_services_own_clock(case: Case) -> None:
    """An hour is an hour, however far the two clocks are apart."""
    items = [case.lease(case.item(0, "mp4"), 3600)]
    (ticket,) = presign(case, answer_of(case.answer(items), date=DATE), specs_of("mp4"))
    assert ticket.expires_at == NOW + 3600
    skewed = replace(answer_of(case.answer(items), date=DATE), sent_at=NOW + 86_400)
    (ticket,) = presign(case, skewed, specs_of("mp4"))
    assert ticket.expires_at == NOW + 86_400 + 3600


STATUSES = [
    (301, Kind.UNUSABLE),
    (307, Kind.UNUSABLE),
    (401, Kind.UNAUTHORIZED),
    (402, Kind.UNUSABLE),
    (403, Kind.UNUSABLE),
    (404, Kind.UNUSABLE),
    (408, Kind.TRANSIENT),
    (422, Kind.REJECTED),
    (429, Kind.THROTTLED),
    (500, Kind.TRANSIENT),
    (501, Kind.UNUSABLE),
    (502, Kind.TRANSIENT),
    (503, Kind.TRANSIENT),
    (504, Kind.TRANSIENT),
]


@every_case
@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_every_status_has_its_meaning(case: Case, status: int, kind: Kind) -> None:
    """With the service's own error body, a proxy's page, or nothing at all."""
    for body in (case.error("because"), b"<html>", b""):
        problem = refusal(case, answer_of(body, status))
        assert problem.kind is kind
        assert str(status) in problem.message


@every_case
def test_the_services_own_words_are_told(case: Case) -> None:
    """They are what helps, and are cut where they are long."""
    said = "'mp4' is an invalid audio extension"
    assert said in refusal(case, answer_of(case.error(said), 422)).message
    assert len(refusal(case, answer_of(case.error("x" * 10_000), 422)).message) < 500


@every_case
def test_a_throttled_call_is_told_when_to_come_back(case: Case) -> None:
    """In seconds, as a date by the service's own clock, or not at all."""
    assert refusal(case, answer_of(b"", 429, **{"retry-after": "17"})).retry_after == 17.0
    dated = answer_of(b"", 429, **{"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT", "date": DATE})
    assert refusal(case, dated).retry_after == 60.0
    assert refusal(case, answer_of(b"", 429)).retry_after is None


@every_case
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_gateways_error_may_stand_before_work_that_was_done(case: Case, status: int) -> None:
    """Ids may exist that nobody saw; a refusal leaves none."""
    assert refusal(case, answer_of(b"", status)).maybe_created
    for certain in (401, 403, 422, 429, 503):
        assert not refusal(case, answer_of(b"", certain)).maybe_created


@every_case
@given(data=st.data())
def test_no_answer_makes_it_anything_but_tickets_or_a_problem(case: Case, data: st.DataObject) -> None:
    """Whatever JSON comes, with whatever status, there is one ticket per file or a problem."""
    leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20)
    keys = st.sampled_from(["items", "tickets", "data", "errors", "message", "f0", case.id, case.url, "expires_at"])
    value = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
    )
    body, status = data.draw(value), data.draw(st.sampled_from([200, 201, 204, 400, 429, 500]))
    try:
        assert len(presign(case, answer_of(body, status), specs_of("mp4"))) == 1
    except ProblemError as error:
        assert error.problem.message  # noqa: PT017  # either outcome is right


@every_case
@given(
    names=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5), extension=st.sampled_from(["mp4", "mp3"])
)
def test_no_name_ends_up_outside_its_value(case: Case, names: list[str], extension: str) -> None:
    """Quotes, braces, newlines and half characters travel as JSON values; the query is the same for any names."""
    specs = [FileSpec(f"{name}.{extension}", f"{name}.{extension}", extension, 1) for name in names]
    plain = [FileSpec(f"x.{extension}", f"x.{extension}", extension, 1) for _ in names]
    sent = []
    for group in (specs, plain):
        call = FakeCall(answer_of(case.answer(items_of(case, *[extension] * len(names)))))
        asyncio.run(_presign(provider_of(case), call, group))
        sent.append(call.requests[0])
    assert json.dumps(body_of(sent[0]), ensure_ascii=False).encode()  # what is not text would fail here
    assert sent[0].path == sent[1].path
    if case.name == "move-ugc":
        assert body_of(sent[0])["query"] == body_of(sent[1])["query"]


@every_case
def test_credentials_are_in_the_header_and_nowhere_else(case: Case) -> None:
    """The request holds the secret as a secret; neither path nor body nor text form knows it."""
    secret = secrets.token_hex(16)
    call = FakeCall(answer_of(case.answer(items_of(case, "mp4"))))
    asyncio.run(_presign(provider_of(case, secret), call, specs_of("mp4")))
    (request,) = call.requests
    header = request.headers["Authorization"]
    assert isinstance(header, Secret)
    assert header.reveal() == case.header.format(secret)
    assert secret not in request.path + str(request.body) + repr(request)


@every_case
@pytest.mark.parametrize("answer", [(401, {"message": "no"}), (200, {}), (200, b"<html>"), (500, b"")])
def test_no_error_gives_credentials_away(case: Case, answer: tuple[int, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Not in the message, in the representation, in the traceback or in the log."""
    secret = secrets.token_hex(16)
    with caplog.at_level(0), pytest.raises(ProblemError) as raised:
        presign(case, answer_of(answer[1], answer[0]), specs_of("mp4"), secret=secret)
    provider = provider_of(case, secret)
    told = [*traceback.format_exception(raised.value), repr(raised.value), repr(raised.value.problem), caplog.text]
    assert secret not in "".join([*told, repr(provider), repr(provider.config)])


@every_case
def test_what_the_service_does_not_take_is_known_before_any_call(case: Case) -> None:
    """One put is 5 GiB at the most; an empty file is taken."""
    provider = provider_of(case)
    spec = FileSpec("a.mp4", "a.mp4", "mp4", 0)
    assert provider.reject(spec) is None
    assert provider.reject(replace(spec, size=5 * 1024**3)) is None
    rejection = provider.reject(replace(spec, size=5 * 1024**3 + 1))
    assert rejection is not None
    assert case.name in rejection.reason


@every_case
def test_a_group_is_within_what_the_service_takes(case: Case) -> None:
    """The default batch is no larger than the limit, and calls may run side by side."""
    can = provider_of(case).capabilities
    assert 0 < can.batch_size <= can.batch_limit
    assert can.calls_in_flight > 0


def _of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


# What one service alone has.

MAGIC_HOUR, MOVE, LOCAL = _of("magic-hour"), _of("move-ugc"), _of("local")


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        ("video", "mp4 m4v mov webm"),
        ("audio", "mp3 mpeg wav aac aiff flac m4a weba opus ogg oga amr"),
        ("image", "png jpg jpeg webp avif jp2 tiff bmp heic heif jfif tif"),
    ],
)
def test_magic_hour_takes_every_extension_of_its_tables(kind: str, extensions: str) -> None:
    """The union of the three tables that the service publishes, each with the type the API wants to hear."""
    for extension in extensions.split():
        assert provider_of(MAGIC_HOUR).reject(specs_of(extension)[0]) is None
        call = FakeCall(answer_of(MAGIC_HOUR.answer(items_of(MAGIC_HOUR, extension))))
        asyncio.run(_presign(provider_of(MAGIC_HOUR), call, specs_of(extension)))
        assert body_of(call.requests[0]) == {"items": [{"type": kind, "extension": extension}]}
    assert {name for name, of in TYPE_OF.items() if of == kind} == set(extensions.split())


@pytest.mark.parametrize("extension", ["", "gif", "txt", "ds_store", "mp4 ", "\u00e9"])
def test_magic_hour_rejects_what_is_in_no_table(extension: str) -> None:
    """Before any call, with the extensions it takes in the reason; gif is no type of its API."""
    rejection = provider_of(MAGIC_HOUR).reject(specs_of(extension)[0])
    assert rejection is not None
    assert "mp4" in rejection.reason


@pytest.mark.parametrize(("asked", "answered"), [("jpeg", "jpg"), ("tiff", "tif"), ("oga", "ogg"), ("mp4", "MP4")])
def test_magic_hour_may_spell_a_format_differently(asked: str, answered: str) -> None:
    """Two names of one format are not another order."""
    assert presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer(items_of(MAGIC_HOUR, answered))), specs_of(asked))


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("2023-11-14T22:14:20Z", 60.0),
        ("2023-11-14T22:14:20.500Z", 60.5),
        ("2023-11-14T22:14:20.123456Z", 60.123456),
        ("2023-11-14T23:14:20+01:00", 60.0),
    ],
)
def test_magic_hour_tells_its_expiry_with_and_without_fractions(told: str, seconds: float) -> None:
    """Both forms of the seed are read, and kept for the manifest as they came."""
    item = {**MAGIC_HOUR.item(0, "mp4"), "expires_at": told}
    (ticket,) = presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of("mp4"))
    assert ticket.expires_at == pytest.approx(NOW + seconds)
    assert ticket.remote["expires_at"] == told


@pytest.mark.parametrize("told", ["", "soon", "2023-11-14T22:14:20", 1700000000, None])
def test_magic_hour_without_a_readable_expiry_is_refused(told: object) -> None:
    """A lease that nobody can read would be one without end."""
    item = {**MAGIC_HOUR.item(0, "mp4"), "expires_at": told}
    assert refusal(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of("mp4")).maybe_created


def test_magic_hour_believes_the_earlier_of_two_expiries() -> None:
    """The URL may run out before the answer says."""
    url = "https://s.example/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=1"
    item = {**MAGIC_HOUR.item(0, "mp4"), "upload_url": url}
    (ticket,) = presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item]), date=DATE), specs_of("mp4"))
    assert ticket.expires_at == NOW + 60


def test_a_signature_of_version_4_takes_a_checksum() -> None:
    """It covers the headers it names and no other, so the bytes can be checked on arrival."""
    url = "https://s.example/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=1"
    item = {**MAGIC_HOUR.item(0, "mp4"), "upload_url": url}
    assert presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of("mp4"))[0].content_md5
    move = {**MOVE.item(0, "mp4"), "presignedUrl": url}
    assert not presign(MOVE, answer_of(MOVE.answer([move])), specs_of("mp4"))[0].content_md5


def test_a_url_that_tells_no_expiry_has_none() -> None:
    """Then storage's refusal is what tells."""
    item = {**MOVE.item(0, "mp4"), "presignedUrl": "https://s3.example/k?Signature=1"}
    assert presign(MOVE, answer_of(MOVE.answer([item])), specs_of("mp4"))[0].expires_at is None


def test_move_takes_any_extension_and_rejects_none_at_all() -> None:
    """`type` is all that the service wants to know, and it is required."""
    assert provider_of(MOVE).reject(specs_of("move")[0]) is None
    rejection = provider_of(MOVE).reject(FileSpec("README", "README", "", 1))
    assert rejection is not None
    assert "extension" in rejection.reason


def test_move_asks_with_an_alias_a_file_and_the_names_as_variables() -> None:
    """The query that the services' own page shows, for two files."""
    call = FakeCall(answer_of(MOVE.answer(items_of(MOVE, "mp4", "mov"))))
    asyncio.run(_presign(provider_of(MOVE), call, specs_of("mp4", "mov")))
    body = body_of(call.requests[0])
    assert body["query"] == (
        "mutation CreateFiles($t0: String!, $n0: String, $t1: String!, $n1: String)"
        " { f0: createFile(type: $t0, name: $n0) { id presignedUrl }"
        " f1: createFile(type: $t1, name: $n1) { id presignedUrl } }"
    )
    assert body["variables"] == {"t0": "mp4", "n0": "n0.mp4", "t1": "mov", "n1": "n1.mov"}


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("UnauthorizedException", Kind.UNAUTHORIZED),
        ("AccessDeniedException", Kind.UNAUTHORIZED),
        ("ThrottlingException", Kind.THROTTLED),
        ("TooManyRequestsException", Kind.THROTTLED),
        ("LimitExceededException", Kind.THROTTLED),
        ("ValidationError", Kind.REJECTED),
        ("BadRequestException", Kind.REJECTED),
        ("MoveInternalError", Kind.TRANSIENT),
        (None, Kind.TRANSIENT),
        (7, Kind.TRANSIENT),
    ],
)
def test_move_says_its_errors_in_a_200(error_type: object, kind: Kind) -> None:
    """`errorType` beside `message` tells what it is, and earlier aliases may have been created all the same."""
    body = {"data": None, "errors": [{"path": ["f1"], "errorType": error_type, "message": "Sorry.", "errorInfo": None}]}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (kind, True)
    assert "Sorry." in problem.message


@pytest.mark.parametrize("errors", ["oops", [None], ["oops"], {"message": "x"}, 7, [[]], [{}], [{"message": None}]])
def test_move_may_say_its_errors_in_any_shape(errors: object) -> None:
    """An error that cannot be read is one all the same, whatever data stands beside it."""
    body = {**MOVE.answer(items_of(MOVE, *EXTENSIONS)), "errors": errors}
    problem = refusal(MOVE, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (Kind.TRANSIENT, True)


@pytest.mark.parametrize("errors", [None, []])
def test_move_without_errors_is_a_success(errors: object) -> None:
    """An empty list of errors is none."""
    body = {**MOVE.answer(items_of(MOVE, "mp4")), "errors": errors}
    assert presign(MOVE, answer_of(body), specs_of("mp4"))


def test_move_data_for_other_aliases_is_refused() -> None:
    """The right number under the wrong names is not what was asked for."""
    items = items_of(MOVE, "mp4", "mp4")
    body = {"data": {"f0": items[0], "f2": items[1]}}
    assert refusal(MOVE, answer_of(body), specs_of("mp4", "mp4")).maybe_created


def test_local_takes_any_file_and_names_it_safely() -> None:
    """An extension becomes part of a path, so only what is harmless there is told."""
    for extension in ("", "x/../y", "\u00e9mp4", "a" * 100, "tar.gz"):
        spec = FileSpec("n", "n", extension, 1)
        assert provider_of(LOCAL).reject(spec) is None
        call = FakeCall(answer_of(LOCAL.answer(items_of(LOCAL, "bin"))))
        asyncio.run(_presign(provider_of(LOCAL), call, [spec]))
        (told,) = LOCAL.asked(body_of(call.requests[0]))
        assert set(told) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert len(told) <= 32


def test_local_tickets_are_good_for_the_server_they_came_from() -> None:
    """Started anew it may have another port, and the URL of the old one would reach a stranger."""
    item = {**LOCAL.item(0, "bin"), "url": "http://127.0.0.1:8/k"}
    (ticket,) = presign(LOCAL, answer_of(LOCAL.answer([item])), specs_of("bin"), base_url="http://127.0.0.1:8")
    assert provider_of(LOCAL, base_url="http://127.0.0.1:8").reusable(ticket)
    assert not provider_of(LOCAL, base_url="http://127.0.0.1:9").reusable(ticket)


# The same, through the real transport.


class PatchedResponse(aiohttp.ClientResponse):
    """aioresponses makes answers without the stream writer that newer clients want."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", mock.Mock(output_size=0))
        super().__init__(*args, **kwargs)


async def over_http(case: Case, secret: str, **answer: Any) -> tuple[Sequence[Ticket | Rejection], Mapping[str, Any]]:
    """Presign through transport; return the tickets and what the HTTP client was asked for."""
    sent: dict[str, Any] = {}

    def keep(url: Any, **kwargs: Any) -> CallbackResult:
        sent.update(kwargs, url=str(url))
        return CallbackResult(response_class=PatchedResponse, **answer)

    provider = provider_of(case, secret)
    async with Transport(TransportOptions(connections=1), SystemClock()) as transport:

        async def call(request: ApiRequest) -> ApiAnswer:
            return await transport.call(provider.config.base_url, request)

        with aioresponses() as mocked:
            mocked.post(BASE_URL + case.path, callback=keep)
            return await provider.presign(specs_of("mp4", "mp3"), call), sent


@every_case
async def test_a_call_goes_out_as_the_service_wants_it(case: Case) -> None:
    """JSON by POST to the service's own path, with its credentials, and no redirect followed with them."""
    body = case.answer(items_of(case, "mp4", "mp3"))
    tickets, sent = await over_http(case, "tok", body=json.dumps(body), headers={"Date": DATE})
    assert len(tickets) == 2
    assert sent["headers"]["Authorization"] == case.header.format("tok")
    assert sent["headers"]["Content-Type"] == "application/json"
    assert sent["allow_redirects"] is False
    assert case.asked(json.loads(sent["data"])) == ["mp4", "mp3"]


@every_case
@pytest.mark.parametrize(("status", "kind"), STATUSES)
async def test_statuses_mean_the_same_over_http(case: Case, status: int, kind: Kind) -> None:
    """Through transport too, the error says nothing of the credentials, in all of its chain."""
    secret = secrets.token_hex(16)
    with pytest.raises(ProblemError) as raised:
        await over_http(case, secret, status=status, body="<html>", headers={"Retry-After": "9"})
    assert raised.value.problem.kind is kind
    assert raised.value.problem.retry_after == 9.0
    assert secret not in "".join(traceback.format_exception(raised.value))
