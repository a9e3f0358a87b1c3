"""Xvid's upload sessions: the call that opens one, object keys, and the expiry of uploads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import assume, given
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
    """Open a session and return the request."""
    call = FakeCall(answer_of(XVID.answer([{**XVID.item(0, spec), "object_key": _key(spec, **changed)}])))
    asked_with(configured(XVID, **changed), call, [spec])
    return call


def _key(spec: FileSpec, **changed: Any) -> str:
    place = configured(XVID, **changed).place(spec)
    assert place is not None
    assert place.exclusive
    return place.name


def test_the_request_is_that_of_the_services_example() -> None:
    """A slash before the query, encoded slashes in the key, no body, and JSON as the accepted type."""
    (request,) = session_of(SPEC._replace(path="a b/c+d&e=f/\u00e9%20.mp4")).requests
    assert request.method == "POST"
    assert request.path == ("/v1/files/uploads/?object_key=a%20b%2Fc%2Bd%26e%3Df%2F%C3%A9%2520.mp4&pipeline_id=53a1")
    assert request.body is None
    assert request.headers == {"Authorization": BearerHeader(Secret("tok")), "Accept": "application/json"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_key_is_encoded_exactly_once(name: str) -> None:
    """The decoded query has the key, which is also the file's place."""
    spec = SPEC._replace(path=name)
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
def test_file_names_are_inserted_into_the_template_literally(template: str, path: str, key: str) -> None:
    """Even if they look like placeholders."""
    spec = FileSpec(path.rpartition("/")[2], path, "mp4", 1, modified=MODIFIED)
    assert _key(spec, object_key=template) == key
    assert query_of(session_of(spec, object_key=template).requests[0])["object_key"] == key


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a\udcff.mp4", "not UTF-8"),
        ("x" * 1025, "1025 bytes, and xvid accepts at most 1024"),
        ("\u00e9" * 513, "1026 bytes, and xvid accepts at most 1024"),
        ("a//b.mp4", "part that is empty"),
        ("/a.mp4", "part that is empty"),
        ("a/", "part that is empty"),
        ("a/../b.mp4", "part that is empty"),
        ("./a.mp4", "part that is empty"),
        ("a/${filename}.mp4", "another name"),
    ],
)
def test_an_invalid_key_is_rejected(path: str, reason: str) -> None:
    """Before any call, with the reason."""
    rejection = configured(XVID).reject(SPEC._replace(path=path))
    assert rejection is not None
    assert reason in rejection.reason


@pytest.mark.parametrize(
    "path",
    [
        *("x" * 1024, "\u00e9" * 512, "...", "a/..b/.c", "a b", "\u2028", "~/$HOME", "a\\..\\b"),
        *("a\nb.mp4", "a\r\nb.mp4", "a\tb.mp4", "\x1b[31mb.mp4", "a\x7fb.mp4", "a\x85b.mp4"),
    ],
)
def test_an_unusual_key_is_accepted(path: str) -> None:
    """Storage accepts any UTF-8 of up to 1,024 bytes."""
    assert configured(XVID).reject(SPEC._replace(path=path)) is None


def test_a_name_that_is_not_utf_8_has_no_place() -> None:
    assert configured(XVID).place(SPEC._replace(path="a\udcff")) is None


@pytest.mark.parametrize("size", [0, 5 * 1024**3])
def test_any_extension_and_any_size_up_to_the_limit_is_accepted(size: int) -> None:
    """Including empty files and names without an extension."""
    assert configured(XVID).reject(FileSpec("README", "README", "", size)) is None


EXPIRIES = [
    (None, None, 7 * 86_400.0),
    (Expiry(at=0), "0", None),
    (Expiry(after=3600.9), str(int(NOW) + 3600), 3600.9),
    (Expiry(at=1_900_000_000), "1900000000", 1_900_000_000 - NOW),
]


@pytest.mark.parametrize(("expiry", "told", "kept"), EXPIRIES, ids=lambda value: str(value))
def test_expires_at_determines_how_long_an_upload_is_kept(expiry: Any, told: str | None, kept: float | None) -> None:
    """The default is seven days, and 0 means forever. A duration counts from the start of the session."""

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


@pytest.mark.parametrize(
    ("address", "told"), [("0.0.0.0", "0"), ("203.0.113.7", "3405803783"), ("255.255.255.255", "4294967295")]
)
def test_the_address_of_the_uploader_is_sent_as_an_integer(address: str, told: str) -> None:
    """As PHP's ip2long returns it. Without the setting, none is sent."""
    call = FakeCall(answer_of(XVID.answer(items_of(XVID, "mp4"))))
    asked_with(configured(XVID, ip=address), call, [SPEC])
    assert query_of(call.requests[0])["ip"] == told
    asked_with(configured(XVID), call, [SPEC])
    assert "ip" not in query_of(call.requests[1])


def test_an_answer_with_another_key_is_refused() -> None:
    answer = answer_of(XVID.answer([{**items_of(XVID, "mp4")[0], "object_key": "d/other.mp4"}]))
    problem = refusal(XVID, answer, [SPEC])
    assert (problem.kind, problem.maybe_created) == (ProblemKind.TRANSIENT, True)


def test_the_manifest_has_object_key_and_pipeline() -> None:
    """And the upload's id, but no field of the form."""
    (ticket,) = asked_with(configured(XVID), FakeCall(answer_of(XVID.answer(items_of(XVID, "mp4")))), [SPEC])
    assert ticket.remote == {
        "id": "5a1b0",
        "object_key": "d/n0.mp4",
        "pipeline_id": "53a1",
        "file_id": "5a1b0",
        "status": "UPLOADING",
    }


@pytest.mark.parametrize("file_id", ["a/b", "..", "a?b", "x" * 129, ""])
def test_an_unsafe_id_is_refused(file_id: str) -> None:
    """It becomes part of the path of the closing call."""
    answer = answer_of(XVID.answer([{**items_of(XVID, "mp4")[0], "id": file_id}]))
    assert refusal(XVID, answer, [SPEC]).maybe_created


def test_the_scope_is_the_pipeline() -> None:
    """A new scope is a new upload."""
    assert configured(XVID).scope == "53a1"


@pytest.mark.parametrize("confirm", [True, False])
def test_the_setting_confirm_enables_closing_calls(confirm: bool) -> None:
    """The service has no call for files that are given up."""
    can = configured(XVID, confirm=confirm).capabilities
    assert (can.confirms, can.abandons, can.placed) == (confirm, False, True)
