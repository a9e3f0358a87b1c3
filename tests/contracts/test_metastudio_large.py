"""Files of MetaStudio over 5 GiB, which are sent in parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_cases import (
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    configured,
    refusal,
    specs_of,
    the_case,
)

from bulkup.model.problems import ProblemKind
from bulkup.providers.base import GIB

META = the_case("metastudio")
LARGE = specs_of(META, "png")[0]._replace(size=5 * GIB + 1, digest=None)


def large_answer(*numbers: int) -> FakeCall:
    urls = [f"https://obs.example/x/{number}?Expires={NOW + 900 + number:.0f}&Signature=s" for number in numbers]
    return FakeCall(answer_of({"file_id": "f-1", "upload_urls": urls}))


def test_the_request_for_a_file_in_parts() -> None:
    """Without a checksum and with a count, in the order of the released SDK's model."""
    call = large_answer(*range(11))
    (ticket,) = asked_with(configured(META), call, [LARGE])
    (request,) = call.requests
    assert request.path == "/v1/p-1/large-files"
    assert json.loads(request.body or b"") == {
        "file_name": "n0.png",
        "file_size": 5_368_709_121,
        "file_type": "png",
        "asset_id": "a-1",
        "asset_file_category": "OTHER",
        "file_multipart_count": 11,
    }
    assert [url.reveal() for url in (ticket.url, *ticket.more_urls)] == [
        f"https://obs.example/x/{number}?Expires={NOW + 900 + number:.0f}&Signature=s" for number in range(11)
    ]
    assert (ticket.headers, ticket.remote["parts"], ticket.expires_at) == ({}, 11, NOW + 900)


@pytest.mark.parametrize(("size", "first"), [(1, True), (5 * GIB, True), (5 * GIB + 1, False), (500 * GIB, False)])
def test_only_files_sent_whole_are_hashed_first(size: int, first: bool) -> None:
    """Reading 500 GiB twice would take hours."""
    assert configured(META).hashes_first(LARGE._replace(size=size)) is first


def test_the_largest_file_has_a_thousand_parts() -> None:
    """Of 512 MiB each."""
    call = large_answer(*range(1000))
    asked_with(configured(META), call, [LARGE._replace(size=500 * GIB)])
    assert body_of(call.requests[0])["file_multipart_count"] == 1000


@pytest.mark.parametrize("count", [2, 10, 12, 40])
def test_the_service_may_choose_the_number_of_parts(count: int) -> None:
    """If each part fits into one PUT."""
    (ticket,) = asked_with(configured(META), large_answer(*range(count)), [LARGE])
    assert len(ticket.more_urls) == count - 1


MANY = [f"https://obs.example/{number}" for number in range(11)]


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        "https://obs.example/1",
        [*MANY[1:], None],
        [*MANY[1:], ""],
        [*MANY[1:], MANY[1]],
        [*MANY[1:], "http://obs.example/0"],
        [*MANY[1:], "file:///etc/passwd"],
        MANY[:1],
    ],
    ids=["null", "none", "object", "text", "one null", "one empty", "a repeat", "plain http", "a file", "too few"],
)
def test_repeated_or_too_few_part_urls_are_refused(told: Any) -> None:
    """A repeated URL would overwrite a part, and too few need parts that are too large."""
    problem = refusal(META, answer_of({"file_id": "f-1", "upload_urls": told}), [LARGE])
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
