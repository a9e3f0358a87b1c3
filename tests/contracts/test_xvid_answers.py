"""Xvid's answers: JSON or XML, hostile XML, what its errors mean, and how an upload comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_cases import (
    DIGEST,
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    configured,
    items_of,
    presign,
    refusal,
    specs_of,
    the_case,
)

from bulkup.model.files import Identity
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt
from bulkup.providers import NotYet
from bulkup.providers.xvid.answers import error_of, upload_of

XVID = the_case("xvid")
(ITEM,) = items_of(XVID, "mp4")
(TICKET,) = asked_with(configured(XVID), FakeCall(answer_of(XVID.answer([ITEM]))), specs_of(XVID, "mp4"))
RECEIPT = Receipt(DIGEST, Identity(1, 2, 3, 4, 5), "etag", verified=True, stored_at=NOW)


def xml_of(name: str, value: Any) -> str:
    inner = "".join(xml_of(*pair) for pair in value.items()) if isinstance(value, dict) else escape(str(value))
    return f"<{name}>{inner}</{name}>"


def as_xml(text: str | bytes, status: int = 200, kind: str = "application/xml; charset=utf-8") -> ApiAnswer:
    body = text if isinstance(text, bytes) else ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()
    return ApiAnswer(status, {"content-type": kind}, body, NOW)


@pytest.mark.parametrize("kind", ["application/xml", "text/xml; charset=utf-8", "text/plain", ""])
@pytest.mark.parametrize("document", [xml_of("upload", ITEM), xml_of("response", {"upload": ITEM})], ids=["bare", "in"])
def test_an_answer_in_xml_is_read_as_the_same_names(document: str, kind: str) -> None:
    """Under a root of its own or as the root itself, told by its type or by its first byte."""
    (ticket,) = presign(XVID, as_xml(document, kind=kind), specs_of(XVID, "mp4"))
    assert ticket == TICKET


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/xhtml+xml", "text/plain", "", "text/xml"])
@pytest.mark.parametrize(
    "page",
    [
        "<html>Welcome</html>",
        "\n<!doctype html>\n<p>Welcome",
        "<!-- a portal's page -->\n<!-- <upload> -->\n<HTML lang=en>",
        '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x">\n<html></html>',
        "\N{ZERO WIDTH NO-BREAK SPACE}<html>Welcome</html>",
    ],
)
def test_a_web_page_is_no_xml(page: str, kind: str) -> None:
    """It is what a wrong base_url answers, and the hint says so, whatever the page calls itself."""
    answer = as_xml(page.encode(), kind=kind)
    problem = refusal(XVID, answer, specs_of(XVID, "mp4"))
    assert problem.kind is ProblemKind.TRANSIENT
    assert "not JSON; is base_url the root of this service?" in problem.message
    assert error_of(answer) == ("", "")


def test_what_says_that_it_is_a_web_page_is_taken_for_one() -> None:
    """Its beginning may be that of any page."""
    problem = refusal(XVID, as_xml(b"<h1>Welcome</h1>", kind="text/html"), specs_of(XVID, "mp4"))
    assert problem.message == "Xvid answered text/html, not JSON; is base_url the root of this service?"


def test_a_document_that_only_begins_like_a_page_is_xml() -> None:
    """The name of its root is longer."""
    document = xml_of("html5response", {"upload": ITEM})
    assert presign(XVID, as_xml(document), specs_of(XVID, "mp4")) == [TICKET]


ENTITIES = '<!ENTITY e0 "x">' + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
HOSTILE = {
    "a bomb of entities": f"<!DOCTYPE upload [{ENTITIES}]><upload><id>&e9;</id></upload>",
    "a quadratic bomb": f'<!DOCTYPE upload [<!ENTITY a "{"x" * 50_000}">]><upload><id>{"&a;" * 50_000}</id></upload>',
    "an external entity": '<!DOCTYPE upload [<!ENTITY e SYSTEM "file:///etc/passwd">]><upload><id>&e;</id></upload>',
    "a parameter entity": '<!DOCTYPE upload [<!ENTITY % e SYSTEM "http://127.0.0.1:1/"> %e;]><upload/>',
    "an external DTD": '<!DOCTYPE upload SYSTEM "http://127.0.0.1:1/x.dtd"><upload><id>1</id></upload>',
    "a DTD that does nothing": "<!DOCTYPE upload><upload><id>1</id></upload>",
    "an entity that nobody made": "<upload><id>&e;</id></upload>",
    "elements without end": "<a>" * 50_000 + "</a>" * 50_000,
    "cut off": "<upload><id>1</id>",
    "two roots": "<upload/><upload/>",
    "a control character": "<upload><id>\x01</id></upload>",
    "no upload in it": "<response><error/></response>",
    "an upload of text": "<upload>5a1b</upload>",
    "an empty upload": "<upload/>",
}
ENCODINGS = [b"no-such", b"shift_jis", b"base64", b"utf-7"]


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_xml_is_refused_without_being_expanded(kind: str) -> None:
    """No entity is expanded, nothing is fetched, nothing of it is told, and the call may be made again."""
    problem = refusal(XVID, as_xml(HOSTILE[kind]), specs_of(XVID, "mp4"))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert len(problem.message) < 100
    assert error_of(as_xml(HOSTILE[kind], 500)) == ("", "")
    assert refusal(XVID, as_xml(HOSTILE[kind], 429)).kind is ProblemKind.THROTTLED


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_xml_in_an_encoding_that_nobody_knows_is_refused(encoding: bytes) -> None:
    """The name in the first line leads nowhere."""
    answer = as_xml(b'<?xml version="1.0" encoding="' + encoding + b'"?><upload><id>\xff\xfe</id></upload>')
    assert refusal(XVID, answer, specs_of(XVID, "mp4")).kind is ProblemKind.TRANSIENT
    assert error_of(answer) == ("", "")


@given(st.lists(st.sampled_from(["<", ">", "/", "upload", "id", "&", ";", "#x41", '"', "=", "!", "?xml ", "[", "é"])))
@settings(deadline=None)
def test_no_xml_is_anything_but_an_upload_or_a_problem(pieces: list[str]) -> None:
    """Whatever stands between the brackets."""
    answer = as_xml(("<" + "".join(pieces)).encode())
    assert error_of(answer) is not None
    try:
        assert isinstance(upload_of(answer), dict)
    except ProblemError as error:
        assert error.problem.kind is ProblemKind.TRANSIENT  # noqa: PT017  # either outcome is right


ERRORS = [
    (400, "0x0230001", "Invalid Input", ProblemKind.REJECTED),
    (403, "0x0000003", "Invalid access token", ProblemKind.UNAUTHORIZED),
    (404, "0x0230002", "Requested file does not exist", ProblemKind.REJECTED),
    (404, "0x0990003", "No such page", ProblemKind.UNUSABLE),
    (500, "0x0000001", "Internal Error", ProblemKind.TRANSIENT),
    (402, "0x0990001", "Pay first", ProblemKind.UNUSABLE),
    (403, "0x0990002", "Forbidden", ProblemKind.UNUSABLE),
]


@pytest.mark.parametrize("form", ["json", "xml", "bare xml"])
@pytest.mark.parametrize(("status", "code", "said", "kind"), ERRORS)
def test_the_code_of_an_error_says_what_it_means(
    form: str, status: int, code: str, said: str, kind: ProblemKind
) -> None:
    """In JSON and in XML alike, with the service's words."""
    error = {"error_code": code, "error_message": said}
    if form == "json":
        answer = answer_of({"error": error}, status)
    else:
        document = xml_of("error", error)
        answer = as_xml(document if form == "bare xml" else f"<response>{document}</response>", status)
    problem = refusal(XVID, answer)
    assert problem.kind is kind
    assert f"{code}: {said}" in problem.message
    assert problem.maybe_created is (kind is ProblemKind.TRANSIENT)


def test_only_a_404_that_is_not_the_services_own_casts_doubt_on_the_address() -> None:
    """Whoever names an error of the service's was reached."""
    doubt = "is base_url the root of this service?"
    for body in (b"", b"<html>Not found</html>", {"message": "Not found"}):
        assert doubt in refusal(XVID, answer_of(body, 404)).message
    missing = {"error": {"error_code": "0x0230002", "error_message": "Requested file does not exist"}}
    assert refusal(XVID, answer_of(missing, 404)).message == (
        "Xvid answered 404: 0x0230002: Requested file does not exist"
    )


def upload(status: Any) -> ApiAnswer:
    return answer_of({"upload": {**ITEM, "status": status, "nb_chunks": 1}})


def closed(*answers: ApiAnswer) -> tuple[Mapping[str, Any] | NotYet, FakeCall]:
    call = FakeCall(*answers)
    return asyncio.run(configured(XVID).confirm(TICKET, RECEIPT, call, again=False)), call


def unclosed(*answers: ApiAnswer) -> Problem:
    with pytest.raises(ProblemError) as raised:
        closed(*answers)
    return raised.value.problem


def test_the_closing_call_tells_of_one_chunk() -> None:
    """By PUT to the upload itself, as JSON of the right type."""
    _, call = closed(upload("COMPLETING"))
    (request,) = call.requests
    assert (request.method, request.path) == ("PUT", "/v1/files/uploads/5a1b0")
    assert body_of(request) == {"upload": {"nb_chunks": 1}}


def test_an_upload_that_completes_is_asked_about_again() -> None:
    """By GET, until it leaves that state."""
    answer, _ = closed(upload("COMPLETING"))
    assert answer == NotYet(0.25, {"status": "COMPLETING"})
    call = FakeCall(upload("COMPLETING"), upload("COMPLETED"))
    provider = configured(XVID)
    assert asyncio.run(provider.poll(TICKET, call)) == NotYet(0.25, {"status": "COMPLETING"})
    assert asyncio.run(provider.poll(TICKET, call)) == {"status": "COMPLETED"}
    assert {(request.method, request.path, request.body) for request in call.requests} == {
        ("GET", "/v1/files/uploads/5a1b0", None)
    }


def test_an_upload_that_is_still_open_after_its_closing_call_is_asked_about_again() -> None:
    """The manual's word for one that was not closed is no end: nothing is recorded as uploaded on it."""
    assert closed(upload("UPLOADING"))[0] == NotYet(0.25, {"status": "UPLOADING"})


@pytest.mark.parametrize("status", ["COMPLETED", "COMPLETE", "READY", "AVAILABLE", "done", "\u5b8c"])
def test_any_other_word_is_an_end_and_kept_as_it_is(status: str) -> None:
    """The manual does not name the last state."""
    assert closed(upload(status))[0] == {"status": status}


@pytest.mark.parametrize("status", ["FAILED", "ERROR", "UPLOAD_ERROR", "ABORTED", "Cancelled", "EXPIRED", "INVALID"])
def test_a_word_that_means_failure_is_one(status: str) -> None:
    """The file is recorded as failed, with the word."""
    problem = unclosed(upload(status))
    assert problem.kind is ProblemKind.FAILED
    assert status in problem.message


@pytest.mark.parametrize("status", [None, "", 7, ["COMPLETED"]])
def test_an_upload_without_a_state_has_not_come_to_an_end(status: Any) -> None:
    """The closing call is made again."""
    assert unclosed(upload(status)).kind is ProblemKind.TRANSIENT


REFUSAL = answer_of({"error": {"error_code": "0x0230001", "error_message": "Invalid Input"}}, 400)


def test_an_upload_that_was_closed_before_is_asked_about() -> None:
    """A run that was cut off in its closing call makes it again, and is refused."""
    assert closed(REFUSAL, upload("COMPLETED"))[0] == {"status": "COMPLETED"}
    assert isinstance(closed(REFUSAL, upload("COMPLETING"))[0], NotYet)
    assert [request.method for request in closed(REFUSAL, upload("COMPLETED"))[1].requests] == ["PUT", "GET"]


def test_an_upload_that_cannot_be_closed_has_failed() -> None:
    """Refused, and still open: what the service said is told."""
    problem = unclosed(REFUSAL, upload("UPLOADING"))
    assert problem.kind is ProblemKind.FAILED
    assert "Invalid Input" in problem.message
    assert unclosed(REFUSAL, upload("FAILED")).kind is ProblemKind.FAILED


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answer_of({"error": {"error_code": "0x0230002"}}, 404), ProblemKind.FAILED),
        (answer_of({"error": {"error_code": "0x0000003"}}, 403), ProblemKind.UNAUTHORIZED),
        (answer_of(b"", 429), ProblemKind.THROTTLED),
        (answer_of(b"", 500), ProblemKind.TRANSIENT),
        (answer_of(b"<html>"), ProblemKind.TRANSIENT),
    ],
)
def test_a_closing_call_fails_like_any_other(answer: ApiAnswer, kind: ProblemKind) -> None:
    """An upload that the service has lost is that file's end alone; a poll fails alike."""
    assert unclosed(answer).kind is kind
    with pytest.raises(ProblemError) as raised:
        asyncio.run(configured(XVID).poll(TICKET, FakeCall(answer)))
    assert raised.value.problem.kind is kind
