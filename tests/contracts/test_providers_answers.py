"""The test suite for every provider: malformed and hostile answers, and answers about other files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_cases import (
    Case,
    Item,
    answer_of,
    every_case,
    every_grouping_case,
    items_of,
    presign,
    refusal,
    specs_of,
)

from bulkup.model.http import ApiAnswer
from bulkup.model.problems import ProblemError, ProblemKind


@every_case
def test_an_answer_with_a_byte_order_mark_is_read(case: Case) -> None:
    """As an error too."""
    body = b"\xef\xbb\xbf" + json.dumps(case.answer(items_of(case, *case.extensions))).encode()
    tickets = presign(case, answer_of(body), specs_of(case, *case.extensions))
    assert len(tickets) == case.group
    refused = b"\xef\xbb\xbf" + json.dumps(case.error("too bad")).encode()
    assert "too bad" in refusal(case, answer_of(refused, 400)).message


@every_grouping_case
@pytest.mark.parametrize("change", [-1, 1, -5])
def test_a_wrong_number_of_items_is_refused(case: Case, change: int) -> None:
    """One item more or less would assign tickets to the wrong files."""
    items = items_of(case, *case.extensions, "mp4")[: case.group + change]
    problem = refusal(case, answer_of(case.answer(items)))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@every_grouping_case
def test_a_shuffled_answer_assigns_no_wrong_ticket(case: Case) -> None:
    """Items with a key may have any order. Otherwise the order is checked by type."""
    items = items_of(case, *case.extensions)
    if case.keyed:
        turned = {"data": dict(reversed(case.answer(items)["data"].items()))}
        tickets = presign(case, answer_of(turned), specs_of(case, *case.extensions))
        assert [ticket.remote_id for ticket in tickets] == [item[case.id] for item in items]
    elif case.name in ("magic-hour", "http as magic-hour"):
        problem = refusal(case, answer_of(case.answer(items[::-1])))
        assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


@every_grouping_case
@pytest.mark.parametrize("key", ["id", "url"])
def test_a_repeated_id_or_url_is_refused(case: Case, key: str) -> None:
    """One file would overwrite the other."""
    name = getattr(case, key)
    items = items_of(case, "mp4", "mp4", "mp4")
    items[2] = {**items[2], name: items[0][name]}
    problem = refusal(case, answer_of(case.answer(items)), specs_of(case, "mp4", "mp4", "mp4"))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


MALFORMED: dict[str, Callable[[Case, list[Item]], Any]] = {
    "html": lambda case, items: b"<html><body>Sign in to the airport's Wi-Fi</body></html>",
    "broken html": lambda case, items: b"<html><p>Sign in to the airport's Wi-Fi",
    "empty": lambda case, items: b"",
    "not utf-8": lambda case, items: b'{"items": "\xff"}',
    "json list": lambda case, items: items,
    "json null": lambda case, items: None,
    "no items": lambda case, items: {},
    "no item": lambda case, items: case.answer([]),
    "items of null": lambda case, items: case.answer([None] * len(items)),
    "items that are texts": lambda case, items: case.answer(["x"] * len(items)),
    "null instead of items": lambda case, items: {"items": None, "tickets": None, "data": None, "upload": None},
    "items as an object": lambda case, items: {"items": {}, "tickets": {}, "data": [], "upload": []},
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
    """It gives no tickets, the lost ids are counted, and the call can be repeated."""
    if kind == "id a number" and case.numbers_are_ids and case.group == 1:
        assert presign(case, answer_of(MALFORMED[kind](case, items_of(case, "mp4"))), specs_of(case, "mp4"))
        return
    body = MALFORMED[kind](case, items_of(case, *case.extensions))
    problem = refusal(case, answer_of(body))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


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
        "https://s.example&Signature=sig",
        "https://s%2eexample/k",
        "https://s..example/k",
        "https://[fe80::1%25eth0]/k",
        "https://[v1.a]/k",
        "https://h:80:80/k",
        "https://h[::1]/k",
        "https://[::1]h/k",
        f"https://{'s' * 64}.example/k",
    ],
)
def test_an_unsafe_upload_url_is_refused(case: Case, url: str) -> None:
    """Another scheme, http if the API uses https, a user part, or characters that break a request line."""
    extensions = ["mp4", "mp4"][: case.group]
    *good, last = items_of(case, *extensions)
    answer = answer_of(case.answer([*good, {**last, case.url: url}]))
    problem = refusal(case, answer, specs_of(case, *extensions))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert "sig" not in problem.message


DEEPEST = b"[" * 1000 + b"]" * 1000  # the decoder takes it; whatever walks through it by calling itself does not


def deep(body: Any) -> ApiAnswer:
    """Return an answer in which each text `DEEP` is replaced by nested lists."""
    return answer_of(json.dumps(body).encode().replace(b'"DEEP"', DEEPEST))


@every_case
def test_deeply_nested_values_do_no_harm(case: Case) -> None:
    """Anywhere in a valid answer or in a refusal."""
    (item,) = items_of(case, "mp4")
    answers = [deep(case.answer([{**item, key: "DEEP"}])) for key in item] + [deep(case.error("DEEP"))]
    answers += [deep({"errors": [{"errorType": "DEEP", "message": "DEEP"}]}), deep({"errors": "DEEP"})]
    for answer in answers:
        try:
            presign(case, answer, specs_of(case, "mp4"))
        except ProblemError as error:
            assert error.problem.message  # noqa: PT017  # either outcome is right


@every_case
@pytest.mark.parametrize("key", ["id", "url"])
def test_very_long_texts_are_refused(case: Case, key: str) -> None:
    """An id is stored in the journal and printed in the manifest."""
    (item,) = items_of(case, "mp4")
    name = getattr(case, key)
    answer = answer_of(case.answer([{**item, name: item[name] + "a" * 20_000}]))
    problem = refusal(case, answer, specs_of(case, "mp4"))
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)
    assert len(problem.message) < 200


LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20)


@every_case
@given(data=st.data())
def test_any_answer_gives_tickets_or_a_problem(case: Case, data: st.DataObject) -> None:
    """For any JSON and any status."""
    keys = st.sampled_from(
        ["items", "tickets", "data", "errors", "message", "f0", case.id, case.url, "expires_at", "upload", "error"]
    )
    value = st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
    )
    status = data.draw(st.sampled_from([200, 201, 204, 400, 403, 404, 429, 500]))
    try:
        assert len(presign(case, answer_of(data.draw(value), status), specs_of(case, "mp4"))) == 1
    except ProblemError as error:
        assert error.problem.message  # noqa: PT017  # either outcome is right


@every_case
@given(data=st.data())
def test_any_change_to_a_valid_answer_gives_tickets_or_a_problem(case: Case, data: st.DataObject) -> None:
    """Any value at any depth is replaced by another."""
    (item,) = items_of(case, "mp4")
    key = data.draw(st.sampled_from(sorted(item)))
    inner = item[key]
    value: Any = data.draw(
        LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=9), LEAVES, max_size=2)
    )
    if isinstance(inner, dict) and data.draw(st.booleans()):
        value = {**inner, data.draw(st.sampled_from(sorted(inner))): value}
    try:
        assert len(presign(case, answer_of(case.answer([{**item, key: value}])), specs_of(case, "mp4"))) == 1
    except ProblemError as error:
        assert error.problem.message  # noqa: PT017  # either outcome is right
