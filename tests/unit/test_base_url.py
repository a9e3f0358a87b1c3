"""The base URL: one form for every spelling of a root, and no part that may contain a secret."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.config.base_url import normalise_base_url

LABELS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
HOSTS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
PATHS = st.lists(st.text(string.ascii_letters + "é%20-_.~", max_size=6), max_size=3).map("/".join)
URLS = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}/{path}",
    st.sampled_from(["http", "https", "HTTPS", "Http"]),
    HOSTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":"]),
    PATHS,
)


def normalised_or_refused(text: Any) -> str:
    try:
        return normalise_base_url(text)
    except ValueError as error:
        return str(error)


@given(URLS)
def test_normalising_twice_equals_normalising_once(url: Any) -> None:
    once = normalise_base_url(url)
    assert normalise_base_url(once) == once


@given(URLS)
def test_case_of_the_host_and_slashes_at_the_end_make_no_difference(url: Any) -> None:
    scheme, rest = url.split("://", 1)
    host, slash, path = rest.partition("/")
    other = f"{scheme.upper()}://{host.swapcase()}{slash}{path}//"
    assert normalise_base_url(other) == normalise_base_url(url)


@given(st.text())
def test_anything_else_is_refused_without_being_repeated(text: Any) -> None:
    outcome = normalised_or_refused(text)
    assert outcome.startswith(("http://", "https://", "expected an http or https URL"))


@given(st.text(string.printable, max_size=20))
def test_any_text_after_a_scheme_gives_a_stable_url_or_a_value_error(text: Any) -> None:
    once = normalised_or_refused("https://" + text)
    assert once.startswith("expected an http or https URL") or normalise_base_url(once) == once


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://API.Example.COM:443/", "https://api.example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://example.com/v1/Prefix//", "https://example.com/v1/Prefix"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://XN--BCHER-KVA.example", "https://xn--bcher-kva.example"),
        ("http://[0:0::1]:8080/", "http://[::1]:8080"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://my_service:9000", "http://my_service:9000"),
        ("https://example.com/a%20b/é", "https://example.com/a%20b/%C3%A9"),
    ],
)
def test_spellings_are_normalised_to_one_form(url: Any, expected: Any) -> None:
    assert normalise_base_url(url) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com", "scheme"),
        ("example.com", "scheme"),
        ("https://", "host is missing"),
        ("https://exa mple.com", "space"),
        (" https://example.com", "space"),
        ("https://example.com\n", "cannot be printed"),
        ("https://exam\x00ple.com", "cannot be printed"),
        ("https://example.com\\x", "backslash"),
        ("https://user:hunter2@example.com", "user and password"),
        ("https://user:hunter2@exa℀mple.com", "cannot be read"),
        ("https://example.com:hunter2", "cannot be read"),
        ("https://example.com/?token=hunter2", "query"),
        ("https://example.com/#", "fragment"),
        ("https://example.com:0", "port 0"),
        ("https://example.com:70000", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://[fe80::1%25eth0]", "IPv6"),
        ("https://straße.example", "two different names"),
        ("https://a..b", "not a valid name"),
        ("https://" + "a" * 64, "not a valid name"),
        ("https://ex%61mple.com", "not a valid name"),
    ],
)
def test_a_wrong_url_is_refused_with_the_reason_and_not_repeated(url: Any, why: Any) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        normalise_base_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None or "hunter2" not in str(caught.value.__cause__)
