"""Origins: the head of a request to the byte, its target, and which URLs have an origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup._version import __version__
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.transport.lean.origin import Origin, origin_of, target_of

OWN = f"User-Agent: bulkup/{__version__}\r\nAccept-Encoding: identity\r\n"


def origin(url: str = "http://s.example:9000", proxy: str | None = None) -> Origin:
    return origin_of(SecretUrl(url), proxy)


def test_the_bytes_of_a_head() -> None:
    head = origin().head("PUT", "/b/k%20x?sig=%2B", {"Content-MD5": "abc==", "X-Key": Secret("s\u00e9")}, 7)
    expected = f"PUT /b/k%20x?sig=%2B HTTP/1.1\r\nHost: s.example:9000\r\n{OWN}Content-MD5: abc==\r\nX-Key: s\u00e9\r\n"
    assert head == f"{expected}Content-Length: 7\r\n\r\n".encode()


def test_expect_continue_is_sent_only_on_request() -> None:
    here = origin()
    head = here.head("PUT", "/", {}, 7, expect_continue=True)
    assert head.endswith(b"\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n")
    assert b"Expect" not in here.head("PUT", "/", {}, 7)


def test_a_ticket_overrides_default_headers_but_not_those_that_frame_the_body() -> None:
    from_ticket = {"host": "other", "USER-AGENT": "x", "content-length": "99", "Expect": "y", "Connection": "close"}
    for _ in range(2):  # the second one uses the cached template
        lines = origin().head("PUT", "/", from_ticket, 7).decode().split("\r\n")[1:-2]
        assert lines == ["Accept-Encoding: identity", "host: other", "USER-AGENT: x", "Content-Length: 7"]


@pytest.mark.parametrize(
    "headers", [{"Transfer-Encoding": "chunked"}, {"X-A": "1", "x-a": "2"}, {"X A": "1"}, {"": "1"}]
)
def test_contradictory_and_invalid_headers_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        origin().head("PUT", "/", headers, 7)


@given(st.text(st.characters(max_codepoint=0xFF), max_size=8), st.text(st.characters(max_codepoint=0xFF), max_size=8))
def test_a_target_or_value_never_adds_a_line(target: str, value: str) -> None:
    """The head has exactly the given lines, or the request is refused."""
    try:
        head = origin().head("PUT", f"/{target}", {"X-A": value}, 7).decode()
    except ValueError:
        return
    assert head.startswith(f"PUT /{target} HTTP/1.1\r\n")
    assert head.count("\r\n") == head.count("\n") == head.count("\r") == 7
    assert len(head.split("\r\n")[0].split()) == 3


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("HTTP://s.example/x", "s.example", 80, "s.example"),
        ("https://s.example:443?x", "s.example", 443, "s.example"),
        ("https://s.example:8443#x", "s.example", 8443, "s.example:8443"),
        ("http://[::1]:9000/", "::1", 9000, "[::1]:9000"),
    ],
)
def test_the_origin_of_a_url(url: str, host: str, port: int, authority: str) -> None:
    found = origin(url)
    assert (found.host, found.port, found.authority) == (host, port, authority)
    assert (found.proxy, found.target_prefix) == (None, "")


@pytest.mark.parametrize(
    "url", ["", "/x", "ftp://s.example/", "http://", "http:///x", "http://u:p@s.example/", "http://s.example:99999/"]
)
def test_a_url_without_an_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is never shown
        origin(url)


def test_a_proxy_gets_the_whole_url_and_its_credentials() -> None:
    """Only for http URLs; an https request goes through a tunnel, and the proxy does not see it."""
    by_proxy = origin(proxy="http://user:p%40ss@proxy:3128").head("PUT", "/k", {}, 0).decode()
    assert by_proxy.startswith("PUT http://s.example:9000/k HTTP/1.1\r\nHost: s.example:9000\r\n")
    assert "\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in by_proxy
    secure = origin("https://s.example", proxy="http://user:p%40ss@proxy:3128").head("PUT", "/k", {}, 0).decode()
    assert secure.startswith("PUT /k HTTP/1.1\r\n")
    assert "Proxy" not in secure


@pytest.mark.parametrize(
    ("rest", "target"), [("", "/"), ("?a", "/?a"), ("/a?b#c", "/a?b"), ("#c", "/"), ("//a", "//a")]
)
def test_the_target_is_the_url_after_its_origin(rest: str, target: str) -> None:
    assert target_of(rest) == target
