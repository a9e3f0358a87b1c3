"""Xvid's upload sessions: the query that opens one, object keys that are none, and for how long an upload is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from provider_cases import (
    BASE_URL,
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    configured,
    items_of,
    query_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.config import Expiry
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Place
from bulkup.model.problems import ProblemKind
from bulkup.providers import FileSpec, ProviderConfig, create
from bulkup.providers.bearer_header import BearerHeader

XVID = the_case("xvid")
MODIFIED = dt.datetime(2026, 3, 4, 23, 59, tzinfo=dt.UTC).timestamp()
(SPEC,) = specs_of(XVID, "mp4")


def session_of(spec: FileSpec, **changed: Any) -> FakeCall:
    """Open a session; return the call that was made."""
    call = FakeCall(answer_of(XVID.answer([{**XVID.item(0, spec), "object_key": _key(spec, **changed)}])))
    asked_with(configured(XVID, **changed), call, [spec])
    return call


def _key(spec: FileSpec, **changed: Any) -> str:
    place = configured(XVID, **changed).place(spec)
    assert place is not None
    assert place.exclusive
    return place.name


def test_a_session_is_opened_as_in_the_services_own_example() -> None:
    """A slash before the query, slashes of the key encoded, no body, JSON asked for."""
    (request,) = session_of(replace(SPEC, path="a b/c+d&e=f/\u00e9%20.mp4")).requests
    assert request.method == "POST"
    assert request.path == ("/v1/files/uploads/?object_key=a%20b%2Fc%2Bd%26e%3Df%2F%C3%A9%2520.mp4&pipeline_id=53a1")
    assert request.body is None
    assert request.headers == {"Authorization": BearerHeader(Secret("tok")), "Accept": "application/json"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(deadline=None)
def test_a_key_is_encoded_exactly_once(name: str) -> None:
    """Whoever decodes the query gets the key, and its place is the same."""
    spec = replace(SPEC, path=name)
    assume(configured(XVID).reject(spec) is None)
    (request,) = session_of(spec).requests
    assert query_of(request) == {"object_key": name, "pipeline_id": "53a1"}
    assert configured(XVID).place(spec) == Place(name, exclusive=True)


@pytest.mark.parametrize(
    ("template", "path", "key"),
    [
        ("{path}", "a/b.mp4", "a/b.mp4"),
        ("uploads/{path}", "a/b.mp4", "uploads/a/b.mp4"),
        ("{date}/{name}", "a/b.mp4", "2026-03-04/b.mp4"),
        ("{stem}-{ext}", "a/b.tar.GZ", "b.tar-GZ"),
        ("{stem}.{ext}", ".bashrc", ".bashrc."),
        ("{stem}.{ext}", "README", "README."),
        ("{stem}.{ext}", "a..mp4", "a..mp4"),
        ("{{{name}}}", "b.mp4", "{b.mp4}"),
        ("{name}", "{path}.mp4", "{path}.mp4"),
        ("{name}", "{0.__class__}", "{0.__class__}"),
        ("k/{name}", "\u202e\U0001f3ac.mp4", "k/\u202e\U0001f3ac.mp4"),
    ],
)
def test_a_template_is_filled_in_with_the_files_own_words(template: str, path: str, key: str) -> None:
    """Names are words and never part of the template, however odd they are."""
    spec = FileSpec(path.rpartition("/")[2], path, "mp4", 1, modified=MODIFIED)
    assert _key(spec, object_key=template) == key
    assert query_of(session_of(spec, object_key=template).requests[0])["object_key"] == key


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a\udcff.mp4", "not UTF-8"),
        ("x" * 1025, "1025 bytes, and xvid accepts at most 1024"),
        ("\u00e9" * 513, "1026 bytes, and xvid accepts at most 1024"),
        ("a\nb.mp4", "control character"),
        ("a\tb.mp4", "control character"),
        ("a\x7fb.mp4", "control character"),
        ("a\x00b", "control character"),
        ("a//b.mp4", "part that is empty"),
        ("/a.mp4", "part that is empty"),
        ("a/", "part that is empty"),
        ("a/../b.mp4", "part that is empty"),
        ("./a.mp4", "part that is empty"),
        ("a/${filename}.mp4", "another name"),
    ],
)
def test_a_key_that_would_be_none_is_rejected(path: str, reason: str) -> None:
    """Before any call, and with what is wrong about it."""
    rejection = configured(XVID).reject(replace(SPEC, path=path))
    assert rejection is not None
    assert reason in rejection.reason


@pytest.mark.parametrize(
    "path", ["x" * 1024, "\u00e9" * 512, "...", "a/..b/.c", "a b", "\u2028", "~/$HOME", "a\\..\\b"]
)
def test_a_key_that_is_only_odd_is_taken(path: str) -> None:
    """Storage takes any UTF-8 of 1,024 bytes."""
    assert configured(XVID).reject(replace(SPEC, path=path)) is None


def test_a_name_that_is_not_utf_8_has_no_place() -> None:
    """Its rejection tells why."""
    assert configured(XVID).place(replace(SPEC, path="a\udcff")) is None


@pytest.mark.parametrize("size", [0, 5 * 1024**3])
def test_any_extension_and_any_size_of_one_post_is_taken(size: int) -> None:
    """Empty files and names without an extension too."""
    assert configured(XVID).reject(FileSpec("README", "README", "", size)) is None


EXPIRIES = [
    (None, None, 7 * 86_400.0),
    (Expiry(at=0), "0", None),
    (Expiry(after=3600.9), str(int(NOW) + 3600), 3600.9),
    (Expiry(at=1_900_000_000), "1900000000", 1_900_000_000 - NOW),
]


@pytest.mark.parametrize(("expiry", "told", "kept"), EXPIRIES, ids=lambda value: str(value))
def test_an_upload_is_kept_as_long_as_was_asked_for(expiry: Any, told: str | None, kept: float | None) -> None:
    """Seven days unless something else is said; 0 is for ever; a duration counts from the opening of the session."""

    class Clock:
        def now(self) -> float:
            return NOW

        def monotonic(self) -> float:
            return 0.0

    provider = create(
        "xvid",
        ProviderConfig(BASE_URL, {"token": Secret("tok")}, {**XVID.settings, "expires_at": expiry}, Clock()),
    )
    call = FakeCall(answer_of(XVID.answer(items_of(XVID, "mp4"))))
    asked_with(provider, call, [SPEC])
    assert query_of(call.requests[0]).get("expires_at") == told
    assert provider.kept_until(NOW) == (None if kept is None else pytest.approx(NOW + kept))


def test_another_key_than_was_asked_for_is_refused() -> None:
    """The bytes would stand where nobody looks for them."""
    answer = answer_of(XVID.answer([{**items_of(XVID, "mp4")[0], "object_key": "d/other.mp4"}]))
    problem = refusal(XVID, answer, [SPEC])
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


def test_the_manifest_tells_what_jobs_take() -> None:
    """The object key and the pipeline beside the upload's id; no field of the form."""
    (ticket,) = asked_with(configured(XVID), FakeCall(answer_of(XVID.answer(items_of(XVID, "mp4")))), [SPEC])
    assert ticket.remote == {
        "id": "5a1b0",
        "object_key": "d/n0.mp4",
        "pipeline_id": "53a1",
        "file_id": "5a1b0",
        "status": "UPLOADING",
    }


@pytest.mark.parametrize("file_id", ["a/b", "..", "a?b", "x" * 129, ""])
def test_an_id_that_would_lead_a_later_call_elsewhere_is_refused(file_id: str) -> None:
    """It becomes a part of the closing call's path."""
    answer = answer_of(XVID.answer([{**items_of(XVID, "mp4")[0], "id": file_id}]))
    assert refusal(XVID, answer, [SPEC]).maybe_created


def test_the_scope_is_the_pipeline() -> None:
    """Another one is another upload."""
    assert configured(XVID).scope == "53a1"


@pytest.mark.parametrize("confirm", [True, False])
def test_the_closing_call_is_made_where_it_is_wanted(confirm: bool) -> None:
    """Files given up are nothing that the service wants to hear of."""
    can = configured(XVID, confirm=confirm).capabilities
    assert (can.confirms, can.abandons, can.placed) == (confirm, False, True)
