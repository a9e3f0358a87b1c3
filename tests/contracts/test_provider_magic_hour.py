"""Magic Hour: types by extension, spellings of a format, and the expiry in the answer."""

from __future__ import annotations

import pytest
from provider_cases import (
    DATE,
    NOW,
    FakeCall,
    answer_of,
    asked_with,
    body_of,
    configured,
    items_of,
    presign,
    provider_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.providers import Provider
from bulkup.providers.magic_hour.adapter import TYPE_OF

MAGIC_HOUR = the_case("magic-hour")


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        ("video", "mp4 m4v mov webm"),
        ("audio", "mp3 wav aac flac weba m4a opus ogg oga aiff amr"),
        ("image", "png jpg jpeg jfif heic heif webp avif jp2 tiff tif bmp"),
    ],
)
def test_every_extension_of_the_newest_table_is_accepted(kind: str, extensions: str) -> None:
    """Each is sent with the type that the API expects. webm is listed as video and as audio, and is video here."""
    for extension in extensions.split():
        assert provider_of(MAGIC_HOUR).reject(specs_of(MAGIC_HOUR, extension)[0]) is None
        assert type_asked_for(provider_of(MAGIC_HOUR), extension) == kind
    assert {name for name, of in TYPE_OF.items() if of == kind} == set(extensions.split())


@pytest.mark.parametrize("extension", ["", "gif", "mpeg", "txt", "ds_store", "mp4 ", "\u00e9"])
def test_other_extensions_are_rejected(extension: str) -> None:
    """Before any call, with the accepted extensions in the reason, and with the setting that adds others."""
    rejection = provider_of(MAGIC_HOUR).reject(specs_of(MAGIC_HOUR, extension)[0])
    assert rejection is not None
    assert "mp4" in rejection.reason
    assert rejection.unsupported
    assert ("the setting extensions" in rejection.reason) == (extension.isalnum() and extension.isascii())


@pytest.mark.parametrize(
    ("extension", "kind"), [("mpeg", "video"), ("gif", "gif"), ("gif", "image"), ("webm", "audio"), ("heic", "video")]
)
def test_the_setting_adds_and_changes_types(extension: str, kind: str) -> None:
    provider = configured(MAGIC_HOUR, extensions={extension: kind})
    assert provider.reject(specs_of(MAGIC_HOUR, extension)[0]) is None
    assert type_asked_for(provider, extension) == kind
    assert type_asked_for(provider, "mp4") == "video"


def test_the_setting_removes_an_extension() -> None:
    provider = configured(MAGIC_HOUR, extensions={"webm": "none", "gif": "none"})
    for extension in ("webm", "gif"):
        rejection = provider.reject(specs_of(MAGIC_HOUR, extension)[0])
        assert rejection is not None
        assert rejection.unsupported
    assert provider.reject(specs_of(MAGIC_HOUR, "mp4")[0]) is None


def type_asked_for(provider: Provider, extension: str) -> str:
    """Return the type in the request for one file."""
    call = FakeCall(answer_of(MAGIC_HOUR.answer(items_of(MAGIC_HOUR, extension))))
    asked_with(provider, call, specs_of(MAGIC_HOUR, extension))
    (item,) = body_of(call.requests[0])["items"]
    assert item["extension"] == extension
    return str(item["type"])


@pytest.mark.parametrize("path", ["api-assets/id/video", "api-assets/v1.2/1234", "1234", "api-assets/id/.hidden"])
def test_a_path_without_an_extension_is_accepted(path: str) -> None:
    """The service promises none. The number of items is still compared."""
    items = items_of(MAGIC_HOUR, "mp4", "mp3")
    items[0] = {**items[0], "file_path": path}
    tickets = presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer(items)), specs_of(MAGIC_HOUR, "mp4", "mp3"))
    assert [ticket.remote_id for ticket in tickets] == [path, items[1]["file_path"]]
    assert "in `items`, and the number of files was 2" in str(
        refusal(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer(items[:1])), specs_of(MAGIC_HOUR, "mp4", "mp3")).message
    )


@pytest.mark.parametrize(("asked", "answered"), [("jpeg", "jpg"), ("tiff", "tif"), ("oga", "ogg"), ("mp4", "MP4")])
def test_an_answer_may_use_another_extension_of_the_same_format(asked: str, answered: str) -> None:
    """It still counts as being in order."""
    assert presign(
        MAGIC_HOUR, answer_of(MAGIC_HOUR.answer(items_of(MAGIC_HOUR, answered))), specs_of(MAGIC_HOUR, asked)
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("2023-11-14T22:14:20Z", 60.0),
        ("2023-11-14T22:14:20.500Z", 60.5),
        ("2023-11-14T22:14:20.123456Z", 60.123456),
        ("2023-11-14T23:14:20+01:00", 60.0),
        ("2023-11-14t22:14:20z", 60.0),
    ],
)
def test_expires_at_with_and_without_fractions(told: str, seconds: float) -> None:
    """The manifest keeps the text unchanged."""
    item = {**items_of(MAGIC_HOUR, "mp4")[0], "expires_at": told}
    (ticket,) = presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of(MAGIC_HOUR, "mp4"))
    assert ticket.expires_at == pytest.approx(NOW + seconds)
    assert ticket.remote["expires_at"] == told


@pytest.mark.parametrize("told", ["", "soon", "2023-11-14T22:14:20", 1700000000, None])
def test_an_invalid_expires_at_is_refused(told: object) -> None:
    """Otherwise the lease would have no end."""
    item = {**items_of(MAGIC_HOUR, "mp4")[0], "expires_at": told}
    assert refusal(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item])), specs_of(MAGIC_HOUR, "mp4")).maybe_created


def test_the_earlier_of_two_expiries_counts() -> None:
    """The URL may expire before `expires_at`."""
    url = "https://s.example/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Signature=1"
    item = {**items_of(MAGIC_HOUR, "mp4")[0], "upload_url": url}
    (ticket,) = presign(MAGIC_HOUR, answer_of(MAGIC_HOUR.answer([item]), date=DATE), specs_of(MAGIC_HOUR, "mp4"))
    assert ticket.expires_at == NOW + 60
