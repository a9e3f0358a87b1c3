"""The embedded server's API: any file is accepted, and tickets are valid for one server."""

from __future__ import annotations

from provider_cases import FakeCall, answer_of, asked_with, items_of, presign, provider_of, specs_of, the_case

from bulkup.providers import FileSpec

LOCAL = the_case("local")


def test_an_extension_is_sanitized() -> None:
    """It becomes part of a path at the server."""
    for extension in ("", "x/../y", "\u00e9mp4", "a" * 100, "tar.gz"):
        spec = FileSpec("n", "n", extension, 1)
        assert provider_of(LOCAL).reject(spec) is None
        call = FakeCall(answer_of(LOCAL.answer(items_of(LOCAL, "bin"))))
        asked_with(provider_of(LOCAL), call, [spec])
        (told,) = LOCAL.asked(call.requests[0])
        assert set(told) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert len(told) <= 32


def test_a_ticket_is_valid_only_for_its_server() -> None:
    """A restarted server may have another port, and the old URL would lead to a different program."""
    item = {**items_of(LOCAL, "bin")[0], "url": "http://127.0.0.1:8/k"}
    (ticket,) = presign(LOCAL, answer_of(LOCAL.answer([item])), specs_of(LOCAL, "bin"), base_url="http://127.0.0.1:8")
    assert provider_of(LOCAL, base_url="http://127.0.0.1:8").reusable(ticket)
    assert not provider_of(LOCAL, base_url="http://127.0.0.1:9").reusable(ticket)
