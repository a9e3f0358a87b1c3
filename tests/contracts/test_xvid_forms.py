"""Xvid's forms: unchanged fields, invalid forms, leases, and storage's answers to a form."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_cases import (
    DATE,
    NOW,
    answer_of,
    configured,
    form_of,
    items_of,
    policy,
    presign,
    refusal,
    specs_of,
    the_case,
)

from bulkup.model.files import Digest
from bulkup.model.http import ApiAnswer, StorageAnswer
from bulkup.model.problems import ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.send.verification import Verification, verify

XVID = the_case("xvid")
FORM = form_of("k")


def answer_with(form: Any, **changes: Any) -> ApiAnswer:
    return answer_of(XVID.answer([{**items_of(XVID, "mp4")[0], "form_post_params": form, **changes}]), date=DATE)


def ticket_of(form: Any, **changes: Any) -> Ticket:
    (ticket,) = presign(XVID, answer_with(form, **changes), specs_of(XVID, "mp4"))
    return ticket


def fields_of(ticket: Ticket) -> list[tuple[str, str]]:
    assert ticket.form is not None
    return [(name, value.reveal()) for name, value in ticket.form]


def test_fields_keep_their_order_and_values() -> None:
    """Including empty ones. A number is written as text."""
    ticket = ticket_of({**FORM, "chunk": 0, "chunks": 1})
    assert fields_of(ticket) == list(FORM.items())
    assert ticket.method == "POST"
    assert dict(ticket.headers) == {}


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
extras = st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5).filter(
    lambda form: (
        not {n.lower() for n in form} & {"file", *(name.lower() for name in FORM)}
        and len({n.lower() for n in form}) == len(form)
    )
)


@given(extras)
def test_unknown_fields_are_sent(extra: dict[str, str]) -> None:
    """The policy has a condition for each field."""
    assert fields_of(ticket_of({**extra, **FORM})) == [*extra.items(), *FORM.items()]


def without(*gone: str) -> dict[str, str]:
    return {name: value for name, value in FORM.items() if name not in gone}


@pytest.mark.parametrize("key", ["Key", "KEY"])
def test_field_names_are_case_insensitive(key: str) -> None:
    """As for storage."""
    form = {**without("key"), key: "tmp/k"}
    assert fields_of(ticket_of(form)) == list(form.items())


REFUSED: dict[str, Any] = {
    "null": None,
    "a list": [["key", "k"]],
    "a text": "key=k",
    "empty": {},
    "a file": {**FORM, "file": "x"},
    "a File": {**FORM, "File": "x"},
    "a FILE": {**FORM, "FILE": "x"},
    "no key": without("key"),
    "no policy": without("policy"),
    "a field twice by case": {**FORM, "Policy": FORM["policy"]},
    "another field twice by case": {**FORM, "ACL": "public-read"},
    "the sender's file name": {**FORM, "key": "tmp/${filename}"},
    "more than 20 KiB": {**FORM, "x": "x" * 20_480},
    "more than 20 KiB in all": {**FORM, **{f"x{n}": "x" * 1024 for n in range(20)}},
    "more than 20 KiB in UTF-8": {**FORM, "x": "\u00e9" * 10_240},
    "null in a field": {**FORM, "x": None},
    "true in a field": {**FORM, "x": True},
    "a fraction": {**FORM, "x": 0.5},
    "a list in a field": {**FORM, "x": ["a"]},
    "an object in a field": {**FORM, "x": {"a": "b"}},
    "a field without a name": {**FORM, "": "x"},
    "a line break in a name": {**FORM, "x\r\ny": "x"},
    "a policy that is no Base64": {**FORM, "policy": "!!!!"},
    "a policy that is no ASCII": {**FORM, "policy": "\u00e9"},
    "an empty policy": {**FORM, "policy": ""},
    "a policy that is no JSON": {**FORM, "policy": base64.b64encode(b"expiration").decode()},
    "a policy that is no object": {**FORM, "policy": base64.b64encode(b"[1]").decode()},
    "a policy without its end": {**FORM, "policy": base64.b64encode(b'{"conditions":[]}').decode()},
    "a policy that ends some day": {**FORM, "policy": policy("some day")},
    "a policy that ends without a zone": {**FORM, "policy": policy("2023-11-14T23:13:20")},
    "a policy that ends at a number": {**FORM, "policy": policy(1_700_003_600)},
}


@pytest.mark.parametrize("form", REFUSED.values(), ids=REFUSED.keys())
def test_a_form_that_storage_would_misread_is_refused(form: Any) -> None:
    """Nothing is sent, and the lost session is counted."""
    problem = refusal(XVID, answer_with(form), specs_of(XVID, "mp4"))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert FORM["policy"] not in problem.message


def test_a_form_of_20_kib_is_accepted() -> None:
    """That is storage's limit."""
    used = sum(len(name) + len(value) for name, value in FORM.items())
    assert fields_of(ticket_of({**FORM, "x": "x" * (20_480 - used - 1)}))


def test_a_form_is_a_credential() -> None:
    """A printed ticket does not show its fields."""
    ticket = ticket_of(FORM)
    for secret in (FORM["policy"], FORM["signature"]):
        assert secret not in repr(ticket) + str(ticket) + json.dumps(dict(ticket.remote))


@pytest.mark.parametrize("url", ["http://s3.example/", "ftp://s3.example/", "", None, "https://u:p@s3.example/"])
def test_an_unsafe_form_url_is_refused(url: Any) -> None:
    """http if the API uses https, another scheme, or an invalid URL."""
    assert refusal(XVID, answer_with(FORM, form_post_url=url), specs_of(XVID, "mp4")).maybe_created


@pytest.mark.parametrize(
    ("expiration", "seconds"),
    [
        ("2023-11-14T22:43:20.000Z", 1800.0),
        ("2023-11-14T22:43:20Z", 1800.0),
        ("2023-11-14T23:43:20+01:00", 1800.0),
        ("2023-11-14T22:13:20.500Z", 0.5),
    ],
)
@pytest.mark.parametrize("ahead", [0.0, 86_400.0, -86_400.0])
def test_the_lease_is_that_of_the_policy_by_the_services_clock(expiration: str, seconds: float, ahead: float) -> None:
    """With any difference between the clocks. `expires_at` has no influence."""
    answer = replace(answer_with({**FORM, "policy": policy(expiration)}), sent_at=NOW + ahead)
    (ticket,) = presign(XVID, answer, specs_of(XVID, "mp4"))
    assert ticket.expires_at == NOW + ahead + seconds


MD5 = Digest(bytes(range(16)))


def document(etag: str) -> bytes:
    return (
        f"<PostResponse><Location>https://s/b/k</Location><Bucket>b</Bucket><Key>k</Key>{etag}</PostResponse>".encode()
    )


@pytest.mark.parametrize(
    "etag",
    [
        f'<ETag>"{MD5.hex}"</ETag>',
        f"<ETag>&quot;{MD5.hex}&quot;</ETag>",
        f"<ETag>&#34;{MD5.hex}&#34;</ETag>",
        f"<ETag>{MD5.hex}</ETag>",
        f'<ETag>\n  "{MD5.hex}"\n</ETag>',
    ],
)
def test_the_etag_is_read_from_the_document(etag: str) -> None:
    """With any kind of quotes."""
    evidence = configured(XVID).evidence(StorageAnswer(201, {"server": "s"}, document(etag)))
    assert evidence == {"server": "s", "etag": MD5.hex}
    assert verify(evidence, MD5) is Verification.MATCH
    assert verify(evidence, Digest(b"x" * 16)) is Verification.MISMATCH


@pytest.mark.parametrize("body", [b"", document(""), document("<ETag></ETag>"), document('<ETag>""</ETag>'), b"\xff<"])
def test_a_document_without_an_etag(body: bytes) -> None:
    """The upload is then recorded as unverified."""
    evidence = configured(XVID).evidence(StorageAnswer(201, {}, body))
    assert verify(evidence, MD5) is Verification.NONE


def test_an_etag_header_that_contradicts_the_document_proves_nothing() -> None:
    """Both are kept, and together they match no digest. Answers with another status have no document."""
    answer = StorageAnswer(201, {"etag": '"from the header"'}, document(f"<ETag>{MD5.hex}</ETag>"))
    evidence = configured(XVID).evidence(answer)
    assert evidence == {"etag": f'"from the header", {MD5.hex}'}
    assert verify(evidence, MD5) is Verification.NONE
    assert configured(XVID).evidence(StorageAnswer(204, {}, answer.body)) == {}
