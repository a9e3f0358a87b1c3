"""The test suite for every provider, with plain values: requests, and valid answers.

`provider_cases` has one line per provider. `test_providers_answers` and `test_providers_errors` are the other parts of
the suite.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_cases import (
    CASES,
    DATE,
    EXTENSIONS,
    NOW,
    Case,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    every_case,
    items_of,
    presign,
    provider_of,
    query_of,
    refusal,
    specs_of,
)

from bulkup.helpers.secrets import Secret
from bulkup.providers import PROVIDER_CLASSES, FileSpec, Provider


def test_every_provider_is_in_the_suite() -> None:
    # These ask no API for tickets, and have tests of their own.
    assert {case.provider for case in CASES} == set(PROVIDER_CLASSES) - {"s3", "urls"}


@every_case
def test_the_group_size_is_within_the_limit(case: Case) -> None:
    """The default is at most the limit, and the suite uses the default."""
    can = provider_of(case).capabilities
    assert 0 < can.batch_size <= can.batch_limit
    assert can.calls_in_flight > 0
    assert case.group == min(can.batch_limit, len(EXTENSIONS))


@every_case
def test_there_is_one_ticket_per_file_in_order(case: Case) -> None:
    """One call returns the n-th ticket for the n-th file."""
    items = items_of(case, *case.extensions)
    call = FakeCall(answer_of(case.answer(items)))
    tickets = asked_with(provider_of(case), call, specs_of(case, *case.extensions))
    assert [ticket.remote_id for ticket in tickets] == [item[case.id] for item in items]
    assert [ticket.url.reveal() for ticket in tickets] == [item[case.url] for item in items]
    (request,) = call.requests
    assert (request.method, request.path.partition("?")[0]) == ("POST", case.path)
    assert case.asked(request) == case.extensions


@every_case
@pytest.mark.parametrize("extension", ["mp4", "mp3"])
def test_a_ticket_has_the_signed_method_headers_and_fields(case: Case, extension: str) -> None:
    """A signature or policy covers them, so nothing may be added or left out."""
    (spec,) = specs_of(case, extension)
    (ticket,) = presign(case, answer_of(case.answer(items_of(case, extension))), [spec])
    assert (ticket.method, dict(ticket.headers), ticket.content_md5) == (case.method, case.headers(spec), False)
    assert (None if ticket.form is None else tuple(name for name, _ in ticket.form)) == case.form
    assert ticket.more_urls == ()


@every_case
def test_the_manifest_has_the_answer_without_urls(case: Case) -> None:
    """A signed URL is a credential, even after its use."""
    (ticket,) = presign(case, answer_of(case.answer(items_of(case, "mp4"))), specs_of(case, "mp4"))
    assert ticket.remote[case.id] == ticket.remote_id
    assert "http" not in json.dumps(dict(ticket.remote))


@every_case
def test_unknown_keys_are_ignored(case: Case) -> None:
    """A service may extend its answers."""
    items = [{**item, "new": {"x": [1]}} for item in items_of(case, "mp4")]
    assert len(presign(case, answer_of(case.answer(items) | {"also": None}), specs_of(case, "mp4"))) == 1


@every_case
def test_http_urls_are_accepted_if_the_api_uses_http(case: Case) -> None:
    """A service on this machine needs no TLS."""
    (item,) = items_of(case, "mp4")
    answer = answer_of(case.answer([{**item, case.url: "http://127.0.0.1:9/k?Expires=1700000100"}]))
    assert presign(case, answer, specs_of(case, "mp4"), base_url="http://127.0.0.1:8")
    assert refusal(case, answer, specs_of(case, "mp4")).maybe_created


@every_case
def test_a_lease_is_counted_by_the_services_clock(case: Case) -> None:
    """An hour is an hour, even if the two clocks differ."""
    answer = answer_of(case.answer([case.lease(items_of(case, "mp4")[0], 3600)]), date=DATE)
    (ticket,) = presign(case, answer, specs_of(case, "mp4"))
    assert ticket.expires_at == NOW + 3600
    (ticket,) = presign(case, replace(answer, sent_at=NOW + 86_400), specs_of(case, "mp4"))
    assert ticket.expires_at == NOW + 86_400 + 3600


@every_case
@given(
    names=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5), extension=st.sampled_from(["mp4", "mp3"])
)
def test_a_file_name_stays_inside_its_value(case: Case, names: list[str], extension: str) -> None:
    """Quotes, braces, newlines and surrogates are encoded, and the rest of the request does not change."""
    sent = []
    for group in (names[: case.group], ["x"] * len(names[: case.group])):
        files = [f"{name}.{extension}" for name in group]
        specs = [FileSpec(file, file, extension, 1, case.digest_of(n)) for n, file in enumerate(files)]
        call = FakeCall(answer_of(case.answer([case.item(n, spec) for n, spec in enumerate(specs)])))
        asked_with(provider_of(case), call, specs)
        sent.append(call.requests[0])
    if case.name == "xvid":
        key = f"{names[0]}.{extension}"
        assert query_of(sent[0]) == {**query_of(sent[1]), "object_key": key}
        assert sent[0].path == sent[1].path.replace(f"x.{extension}", quote(key, safe=""))
        return
    assert json.dumps(body_of(sent[0]), ensure_ascii=False).encode()  # what is not text would fail here
    assert sent[0].path == sent[1].path
    if case.name == "move-ugc":
        assert body_of(sent[0])["query"] == body_of(sent[1])["query"]


@every_case
def test_credentials_are_only_in_the_header(case: Case) -> None:
    """As a secret. Path, body and printed form do not contain them."""
    secret = secrets.token_hex(16)
    call = FakeCall(answer_of(case.answer(items_of(case, "mp4"))))
    asked_with(provider_of(case, secret), call, specs_of(case, "mp4"))
    (request,) = call.requests
    header = request.headers[case.header]
    assert isinstance(header, Secret)
    assert header.reveal() == case.header_value.format(secret)
    assert secret not in request.path + str(request.body) + repr(request)


@every_case
def test_unacceptable_sizes_are_rejected_before_any_call(case: Case) -> None:
    provider = provider_of(case)
    spec = FileSpec("a.mp4", "a.mp4", "mp4", case.smallest)
    assert provider.reject(spec) is None
    assert provider.reject(spec._replace(size=case.largest)) is None
    for size in {case.largest + 1, case.smallest - 1} - {-1}:
        rejection = provider.reject(spec._replace(size=size))
        assert rejection is not None
        assert case.service in rejection.reason


@every_case
def test_capabilities_and_methods_agree(case: Case) -> None:
    """Places, checksums and closing calls exist if the capabilities declare them."""
    provider, (spec,) = provider_of(case), specs_of(case, "mp4")
    can = provider.capabilities
    assert (provider.place(spec) is not None) is can.placed
    assert can.checksum_first == (case.digest.algorithm if case.digest is not None else None)
    assert provider.hashes_first(spec) is (case.digest is not None)
    assert can.confirms or not can.abandons
    assert can.downloads is (type(provider).download is not Provider.download)


@pytest.mark.parametrize("name", PROVIDER_CLASSES)
def test_a_provider_is_registered_under_its_name(name: str) -> None:
    assert PROVIDER_CLASSES[name].name == name
