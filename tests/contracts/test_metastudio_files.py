"""Files of MetaStudio: create calls, rejected files, places, and tickets."""

from __future__ import annotations

from typing import Any

import pytest
from provider_cases import (
    BASE_URL,
    DIGEST,
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    configured,
    items_of,
    provider_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.config.assets import Asset, AssetRule
from bulkup.model.files import Digest, Place
from bulkup.providers import FileSpec, ProviderConfig, create
from bulkup.providers.base import GIB

META = the_case("metastudio")
(SPEC,) = specs_of(META, "png")


def call_of(**headers: str) -> FakeCall:
    return FakeCall(answer_of(META.answer(items_of(META, "png")), 200, **headers))


def test_the_request_is_that_of_the_services_example() -> None:
    """Keys in order, sizes as numbers, and the checksum in Base64."""
    digest = Digest(bytes.fromhex("9f9f081ba85f33bbea2382b4be75a9a2"))
    provider, call = (
        configured(META, asset_id="8cb2f48a2cb006154794741933421100", asset_file_category="MAIN"),
        call_of(),
    )
    asked_with(provider, call, [FileSpec("1.png", "d/1.png", "png", 1_048_576, digest)])
    assert call.requests[0].body == (
        b'{"file_name":"1.png","file_md5":"n58IG6hfM7vqI4K0vnWpog==","file_size":1048576,"file_type":"png",'
        b'"asset_id":"8cb2f48a2cb006154794741933421100","asset_file_category":"MAIN"}'
    )


@pytest.mark.parametrize("user", [None, "tenant-7"])
def test_the_headers_name_the_project_and_the_user(user: str | None) -> None:
    """The project always, as in the released SDK, and the user if one is configured."""
    call = call_of()
    asked_with(configured(META, app_user_id=user), call, [SPEC])
    headers = call.requests[0].headers
    assert headers["X-Project-Id"] == "p-1"
    assert headers.get("X-App-UserId") == user


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        ("gif", "image/gif"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("png", "image/png"),
        ("mp4", "video/mp4"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
        ("zip", "application/octet-stream"),
        ("webp", "application/octet-stream"),
        ("mpeg", "application/octet-stream"),
    ],
)
def test_a_ticket_has_the_signed_headers(extension: str, content_type: str) -> None:
    """The checksum of the request, and the type that the service derives from the extension."""
    (ticket,) = asked_with(configured(META), call_of(), specs_of(META, extension))
    assert ticket.headers == {"Content-MD5": DIGEST.base64, "Content-Type": content_type}
    assert (ticket.method, ticket.content_md5, ticket.form) == ("PUT", False, None)


def test_the_manifest_has_asset_and_category() -> None:
    """And the request id, if the answer has one."""
    (ticket,) = asked_with(configured(META), call_of(**{"x-request-id": "r-1"}), [SPEC])
    told = {"file_id": "8b9ecfde0", "asset_id": "a-1", "asset_file_category": "OTHER"}
    assert ticket.remote == {**told, "request_id": "r-1"}
    (ticket,) = asked_with(configured(META), call_of(), [SPEC])
    assert ticket.remote == told


def test_the_lease_is_that_of_the_url() -> None:
    """Usually 24 hours."""
    (ticket,) = asked_with(configured(META), call_of(), [SPEC])
    assert ticket.expires_at == NOW + 86_400


@pytest.mark.parametrize("file_id", ["a/b", "..", "a?b", "a b", "é", "x" * 129, "%2e"])
def test_an_unsafe_id_is_refused(file_id: str) -> None:
    """It becomes part of the path of the closing call."""
    (item,) = items_of(META, "png")
    assert refusal(META, answer_of({**item, "file_id": file_id})).maybe_created


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 0}, "0 bytes is below metastudio's minimum of 1"),
        ({"size": 500 * GIB + 1}, "is above metastudio's maximum of 536870912000"),
        ({"extension": "", "name": "README"}, "without an extension"),
        ({"extension": "x" * 65}, "its extension is longer than the 64 characters"),
        ({"name": "n" * 253 + ".png"}, "its name is longer than the 256 characters"),
    ],
)
def test_violations_of_the_field_rules_are_rejected(changes: dict[str, Any], reason: str) -> None:
    """With a reason, before hashing and before any call."""
    rejection = configured(META).reject(SPEC._replace(**changes))
    assert rejection is not None
    assert reason in rejection.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 1},
        {"size": 500 * GIB},
        {"extension": "x" * 64},
        {"name": "n" * 252 + ".png"},
        {"name": "\u00e9" * 252 + ".png"},  # characters are counted, and not bytes
        {"name": "\udcff.png"},
    ],
)
def test_values_at_the_limits_are_accepted(changes: dict[str, Any]) -> None:
    assert configured(META).reject(SPEC._replace(**changes)) is None


def test_a_file_without_an_asset_is_rejected() -> None:
    """With a hint, and without a place."""
    provider = configured(META, asset_id=None, assets=(AssetRule(match="*.mp4", asset_id="a-9"),))
    rejection = provider.reject(SPEC)
    assert rejection is not None
    assert all(setting in rejection.reason for setting in ("asset_id", "assets", "asset_map"))
    assert provider.place(SPEC) is None
    assert provider.place(SPEC._replace(path="d/n0.mp4")) is not None


@pytest.mark.parametrize(
    ("settings", "category", "asset_type"),
    [
        ({"asset_type": "VIDEO", "asset_file_category": "PAGE"}, "PAGE", "VIDEO"),
        ({"assets": (AssetRule(match="*.png", asset_id="a-2", asset_type="BUSINESS_CARD_TEMPLET"),)}, "OTHER", None),
        ({"asset_map": {"d/n0.png": Asset("a-4", "PAGE", None, "VOICE_MODEL")}}, "PAGE", "VOICE_MODEL"),
        # A type that is given once for an asset holds for all its files.
        ({"asset_type": "PPT", "asset_map": {"d/n0.png": Asset("a-1", "SAMPLE")}}, "SAMPLE", "PPT"),
    ],
)
def test_a_category_that_the_type_does_not_have_is_rejected(
    settings: dict[str, Any], category: str, asset_type: str | None
) -> None:
    rejection = configured(META, **settings).reject(SPEC)
    assert rejection is not None
    assert f"has no {category} files" in rejection.reason
    assert (asset_type or "BUSINESS_CARD_TEMPLET") in rejection.reason
    allowed = configured(META, **{**settings, "asset_type": None, "assets": (), "asset_map": None})
    assert allowed.reject(SPEC) is None


@pytest.mark.parametrize("category", ["MAIN", "COVER", "OTHER", "WHOLE_MODEL"])
def test_only_main_is_an_exclusive_place(category: str) -> None:
    """An asset has exactly one MAIN, and any number of other files."""
    place = configured(META, asset_file_category=category).place(SPEC)
    assert place == Place(f"{category} of asset a-1", exclusive=category == "MAIN")


def test_the_name_in_an_asset_ignores_case() -> None:
    provider = configured(META)
    names = [provider.name_at_service(SPEC._replace(name=name)) for name in ("Stra\u00dfe.png", "STRASSE.PNG", "s.png")]
    assert [name and name.group for name in names] == ["asset a-1"] * 3
    first, second, third = (name.key for name in names if name is not None)
    assert first == second != third
    assert configured(META, asset_id=None).name_at_service(SPEC) is None


RULES = (
    AssetRule(match="d/*.png", asset_id="a-2", asset_file_category="COVER"),
    AssetRule(match="*.png", asset_id="a-3"),
)
LINES = {"d/n0.png": Asset("a-4", "PAGE", "told.png"), "d/n1.png": Asset("a-5")}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("d/n0.png", ("a-4", "PAGE", "told.png")),  # a line of the map, with all it says
        ("d/n1.png", ("a-5", "OTHER", "n.png")),  # and one without category and name
        ("d/n2.png", ("a-2", "COVER", "n.png")),  # else the first rule that matches
        ("e/n0.png", ("a-3", "OTHER", "n.png")),  # which need not have a category
        ("e/n0.mp4", ("a-1", "OTHER", "n.png")),  # else the profile's asset
    ],
)
def test_map_comes_before_rules_and_rules_before_the_profile(path: str, expected: tuple[str, str, str]) -> None:
    """In the request, the place and the manifest."""
    provider, call = configured(META, assets=RULES, asset_map=LINES), call_of()
    spec = SPEC._replace(path=path, name="n.png")
    (ticket,) = asked_with(provider, call, [spec])
    body = body_of(call.requests[0])
    assert (body["asset_id"], body["asset_file_category"], body["file_name"]) == expected
    assert (ticket.remote["asset_id"], ticket.remote["asset_file_category"]) == expected[:2]
    assert provider.place(spec) == Place(f"{expected[1]} of asset {expected[0]}")


def test_a_name_that_is_not_utf_8_is_sent_readably() -> None:
    """JSON holds only valid text. The journal keeps the path on disk."""
    call = call_of()
    asked_with(configured(META), call, [SPEC._replace(name="a\udcff.png")])
    assert body_of(call.requests[0])["file_name"] == "a?.png"


def test_the_scope_is_project_and_asset() -> None:
    """A new scope is a new upload."""
    assert configured(META).scope == "p-1/a-1"
    assert configured(META, asset_id=None).scope == "p-1"


@pytest.mark.parametrize("confirm", [True, False])
def test_the_setting_confirm_enables_closing_calls_and_reports(confirm: bool) -> None:
    can = configured(META, confirm=confirm).capabilities
    assert (can.confirms, can.abandons) == (confirm, confirm)


def test_a_preview_needs_no_credentials() -> None:
    """Rejections and places are computed without calls."""
    provider = create("metastudio", ProviderConfig(BASE_URL, {}, META.settings))
    assert provider.reject(SPEC) is None
    assert provider.place(SPEC) is not None
    assert list(provider.secrets) == []
    assert provider_of(META).reject(SPEC) is None
