"""Xvid's answers: JSON and XML, hostile XML, error codes, and statuses of an upload."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
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
def test_an_xml_answer_is_read_like_json(document: str, kind: str) -> None:
    """Below a root element or as the root, recognized by content type or first byte."""
    for text in (document, b"\xef\xbb\xbf" + document.encode()):
        (ticket,) = presign(XVID, as_xml(text, kind=kind), specs_of(XVID, "mp4"))
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
def test_a_web_page_is_not_xml(page: str, kind: str) -> None:
    """A wrong base_url leads to one, and the hint says so."""
    answer = as_xml(page.encode(), kind=kind)
    problem = refusal(XVID, answer, specs_of(XVID, "mp4"))
    assert problem.kind is ProblemKind.TRANSIENT
    assert "not JSON; is base_url the root of this service?" in problem.message
    assert error_of(answer) == ("", "")


def test_web_pages_are_recognized() -> None:
    """By any of their usual beginnings."""
    problem = refusal(XVID, as_xml(b"<h1>Welcome</h1>", kind="text/html"), specs_of(XVID, "mp4"))
    assert problem.message == "Xvid answered text/html, not JSON; is base_url the root of this service?"


def test_a_root_element_whose_name_begins_with_html_is_xml() -> None:
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
def test_hostile_xml_is_refused(kind: str) -> None:
    """No entity is expanded, nothing is fetched or quoted, and the call can be repeated."""
    problem = refusal(XVID, as_xml(HOSTILE[kind]), specs_of(XVID, "mp4"))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert len(problem.message) < 100
    assert error_of(as_xml(HOSTILE[kind], 500)) == ("", "")
    assert refusal(XVID, as_xml(HOSTILE[kind], 429)).kind is ProblemKind.THROTTLED


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_xml_in_an_unknown_encoding_is_refused(encoding: bytes) -> None:
    answer = as_xml(b'<?xml version="1.0" encoding="' + encoding + b'"?><upload><id>\xff\xfe</id></upload>')
    assert refusal(XVID, answer, specs_of(XVID, "mp4")).kind is ProblemKind.TRANSIENT
    assert error_of(answer) == ("", "")


@given(st.lists(st.sampled_from(["<", ">", "/", "upload", "id", "&", ";", "#x41", '"', "=", "!", "?xml ", "[", "é"])))
def test_any_xml_gives_an_upload_or_a_problem(pieces: list[str]) -> None:
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
def test_the_error_code_decides(form: str, status: int, code: str, said: str, kind: ProblemKind) -> None:
    """In JSON and in XML, with the service's message."""
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


def test_only_a_404_without_an_error_code_questions_base_url() -> None:
    """An error code shows that the service was reached."""
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


def test_the_request_of_a_closing_call() -> None:
    """A PUT to the upload, with JSON that states one chunk."""
    _, call = closed(upload("COMPLETING"))
    (request,) = call.requests
    assert (request.method, request.path) == ("PUT", "/v1/files/uploads/5a1b0")
    assert body_of(request) == {"upload": {"nb_chunks": 1}}


def test_a_completing_upload_is_polled() -> None:
    """By GET, until its status changes."""
    answer, _ = closed(upload("COMPLETING"))
    assert answer == NotYet(0.25, {"status": "COMPLETING"})
    call = FakeCall(upload("COMPLETING"), upload("COMPLETED"))
    provider = configured(XVID)
    assert asyncio.run(provider.poll(TICKET, call)) == NotYet(0.25, {"status": "COMPLETING"})
    assert asyncio.run(provider.poll(TICKET, call)) == {"status": "COMPLETED"}
    assert {(request.method, request.path, request.body) for request in call.requests} == {
        ("GET", "/v1/files/uploads/5a1b0", None)
    }


def test_an_upload_that_stays_open_is_polled() -> None:
    """It does not count as uploaded."""
    assert closed(upload("UPLOADING"))[0] == NotYet(0.25, {"status": "UPLOADING"})


@pytest.mark.parametrize("status", ["COMPLETED", "COMPLETE", "READY", "AVAILABLE", "done", "\u5b8c"])
def test_any_other_status_counts_as_complete(status: str) -> None:
    """The manual does not name the final status, so it is stored unchanged."""
    assert closed(upload(status))[0] == {"status": status}


@pytest.mark.parametrize("status", ["FAILED", "ERROR", "UPLOAD_ERROR", "ABORTED", "Cancelled", "EXPIRED", "INVALID"])
def test_a_status_that_means_failure_fails_the_file(status: str) -> None:
    """The message has the status."""
    problem = unclosed(upload(status))
    assert problem.kind is ProblemKind.FAILED
    assert status in problem.message


@pytest.mark.parametrize("status", [None, "", 7, ["COMPLETED"]])
def test_an_upload_without_a_status_is_not_complete(status: Any) -> None:
    """The closing call is repeated."""
    assert unclosed(upload(status)).kind is ProblemKind.TRANSIENT


REFUSAL = answer_of({"error": {"error_code": "0x0230001", "error_message": "Invalid Input"}}, 400)


def test_a_repeated_closing_call_requests_the_status() -> None:
    """After an interruption, when the service refuses the second closing call."""
    assert closed(REFUSAL, upload("COMPLETED"))[0] == {"status": "COMPLETED"}
    assert isinstance(closed(REFUSAL, upload("COMPLETING"))[0], NotYet)
    assert [request.method for request in closed(REFUSAL, upload("COMPLETED"))[1].requests] == ["PUT", "GET"]


def test_an_upload_that_cannot_be_closed_is_failed() -> None:
    """The call was refused and the upload is still open. The message is the service's."""
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
    """An upload that the service lost is failed alone; a poll fails in the same way."""
    assert unclosed(answer).kind is kind
    with pytest.raises(ProblemError) as raised:
        asyncio.run(configured(XVID).poll(TICKET, FakeCall(answer)))
    assert raised.value.problem.kind is kind
