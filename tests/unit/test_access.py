"""The requests that the dashboard accepts, and those that it refuses."""

from __future__ import annotations

import hmac

import pytest

from bulkup.dashboard.access import HEADERS, AccessRules, loopback_hosts
from bulkup.helpers.secrets import Secret

RULES = AccessRules(Secret("t0ken"), loopback_hosts(8321))
PAGE = {"Host": "127.0.0.1:8321", "Authorization": "Bearer t0ken", "Sec-Fetch-Site": "same-origin"}
ACTION = {**PAGE, "Origin": "http://127.0.0.1:8321"}


def kind(method: str, path: str, headers: dict[str, str]) -> str | None:
    refusal = RULES.refusal(method, path, headers)
    return refusal.kind if refusal is not None else None


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost:8321", "LOCALHOST:8321", "[::1]:8321"])
def test_the_page_gets_data_with_its_token(host: str) -> None:
    assert kind("GET", "/api/overview", {**PAGE, "Host": host}) is None


def test_files_of_the_page_need_no_token() -> None:
    assert kind("GET", "/", {"Host": "127.0.0.1:8321"}) is None


@pytest.mark.parametrize("host", ["evil.example:8321", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8321.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/api/overview"])
def test_another_host_gets_nothing(host: str, path: str) -> None:
    """The name of another site may point to this machine (DNS rebinding)."""
    assert kind("GET", path, {**ACTION, "Host": host}) == "host"


@pytest.mark.parametrize(
    "given", ["", "Bearer ", "Bearer t0ke", "Bearer t0ken ", "bearer t0ken", "t0ken", "Bearer \udcff"]
)
def test_a_missing_or_guessed_token_gets_no_data(given: str) -> None:
    assert kind("GET", "/api/overview", {**PAGE, "Authorization": given}) == "token"


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the time of an answer would tell how much of a guess is right."""
    compared = list[tuple[bytes, bytes]]()

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append((given, wanted))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert kind("GET", "/api/overview", {**PAGE, "Authorization": "Bearer guess"}) is None
    assert compared == [(b"Bearer guess", b"Bearer t0ken")]


def test_the_token_cannot_be_printed() -> None:
    assert "t0ken" not in f"{RULES} {RULES!r}"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_gets_no_data(site: str) -> None:
    """`same-site` is another port of this machine, which may belong to another user."""
    assert kind("GET", "/api/overview", {**PAGE, "Sec-Fetch-Site": site}) == "origin"


def test_an_action_of_the_page_is_accepted() -> None:
    assert kind("POST", "/api/journals/1/retry", ACTION) is None


@pytest.mark.parametrize(
    "origin", ["", "null", "http://127.0.0.1:9000", "https://127.0.0.1:8321", "http://evil.example"]
)
def test_an_action_from_elsewhere_is_refused(origin: str) -> None:
    assert kind("POST", "/api/journals/1/retry", {**ACTION, "Origin": origin}) == "origin"


def test_the_names_of_port_80_need_no_port() -> None:
    assert "localhost" in loopback_hosts(80)


def test_the_policy_forbids_inline_code_and_markup_from_text() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert "require-trusted-types-for 'script'" in policy
