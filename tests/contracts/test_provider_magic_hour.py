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
    items_of,
    presign,
    provider_of,
    refusal,
    specs_of,
    the_case,
)

from bulkup.providers.magic_hour.adapter import TYPE_OF

MAGIC_HOUR = the_case("magic-hour")


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        ("video", "mp4 m4v mov webm"),
        ("audio", "mp3 mpeg wav aac aiff flac m4a weba opus ogg oga amr"),
        ("image", "png jpg jpeg webp avif jp2 tiff bmp heic heif jfif tif"),
    ],
)
def test_every_extension_of_the_three_tables_is_accepted(kind: str, extensions: str) -> None:
    """Each is sent with the type that the API expects."""
    for extension in extensions.split():
        assert provider_of(MAGIC_HOUR).reject(specs_of(MAGIC_HOUR, extension)[0]) is None
        call = FakeCall(answer_of(MAGIC_HOUR.answer(items_of(MAGIC_HOUR, extension))))
        asked_with(provider_of(MAGIC_HOUR), call, specs_of(MAGIC_HOUR, extension))
        assert body_of(call.requests[0]) == {"items": [{"type": kind, "extension": extension}]}
    assert {name for name, of in TYPE_OF.items() if of == kind} == set(extensions.split())


@pytest.mark.parametrize("extension", ["", "gif", "txt", "ds_store", "mp4 ", "\u00e9"])
def test_other_extensions_are_rejected(extension: str) -> None:
    """Before any call, with the accepted extensions in the reason. gif is not a type of the API."""
    rejection = provider_of(MAGIC_HOUR).reject(specs_of(MAGIC_HOUR, extension)[0])
    assert rejection is not None
    assert "mp4" in rejection.reason


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
