"""What is put together for a request: its head to the byte, its target, and the origin that a URL has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup._version import __version__
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.transport.lean.connection_pool import kept_for
from bulkup.transport.lean.origin import Origin, origin_of, target_of

OWN = f"User-Agent: bulkup/{__version__}\r\nAccept-Encoding: identity\r\n"


def origin(url: str = "http://s.example:9000", proxy: str | None = None) -> Origin:
    return origin_of(SecretUrl(url), proxy)


def test_a_head_is_this_to_the_byte() -> None:
    head = origin().head("PUT", "/b/k%20x?sig=%2B", {"Content-MD5": "abc==", "X-Key": Secret("s\u00e9")}, 7)
    expected = f"PUT /b/k%20x?sig=%2B HTTP/1.1\r\nHost: s.example:9000\r\n{OWN}Content-MD5: abc==\r\nX-Key: s\u00e9\r\n"
    assert head == f"{expected}Content-Length: 7\r\n\r\n".encode()


def test_a_body_is_announced_where_it_is_asked_for() -> None:
    here = origin()
    assert here.head("PUT", "/", {}, 7, asking=True).endswith(b"\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n")
    assert b"Expect" not in here.head("PUT", "/", {}, 7)


def test_what_a_ticket_says_of_our_own_headers_holds_and_of_the_framing_does_not() -> None:
    given_ = {"host": "other", "USER-AGENT": "x", "content-length": "99", "Expect": "y", "Connection": "close"}
    for _ in range(2):  # the second is put together from what was kept of the first
        lines = origin().head("PUT", "/", given_, 7).decode().split("\r\n")[1:-2]
        assert lines == ["Accept-Encoding: identity", "host: other", "USER-AGENT: x", "Content-Length: 7"]


@pytest.mark.parametrize(
    "headers", [{"Transfer-Encoding": "chunked"}, {"X-A": "1", "x-a": "2"}, {"X A": "1"}, {"": "1"}]
)
def test_headers_that_contradict_one_another_or_are_none_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        origin().head("PUT", "/", headers, 7)


@given(st.text(st.characters(max_codepoint=0xFF), max_size=8), st.text(st.characters(max_codepoint=0xFF), max_size=8))
@settings(deadline=None)
def test_a_head_has_the_lines_that_it_was_given(target: str, value: str) -> None:
    """Or it is refused: nothing in a target or a value makes another line, or another target."""
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
    assert (found.host, found.port, found.authority, found.proxy, found.before) == (host, port, authority, None, "")


@pytest.mark.parametrize(
    "url", ["", "/x", "ftp://s.example/", "http://", "http:///x", "http://u:p@s.example/", "http://s.example:99999/"]
)
def test_a_url_without_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is never shown
        origin(url)


def test_a_proxy_is_asked_for_the_whole_url_and_told_who_asks() -> None:
    """Unless the URL is https: then it is only asked for the way, and sees nothing."""
    by_proxy = origin(proxy="http://user:p%40ss@proxy:3128").head("PUT", "/k", {}, 0).decode()
    assert by_proxy.startswith("PUT http://s.example:9000/k HTTP/1.1\r\nHost: s.example:9000\r\n")
    assert "\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in by_proxy
    secure = origin("https://s.example", proxy="http://user:p%40ss@proxy:3128").head("PUT", "/k", {}, 0).decode()
    assert secure.startswith("PUT /k HTTP/1.1\r\n")
    assert "Proxy" not in secure


@pytest.mark.parametrize(
    ("rest", "target"), [("", "/"), ("?a", "/?a"), ("/a?b#c", "/a?b"), ("#c", "/"), ("//a", "//a")]
)
def test_the_target_is_what_follows_the_origin(rest: str, target: str) -> None:
    assert target_of(rest) == target


HINTS = {"timeout=5": 4, "timeout=5, max=9": 4, "Timeout = 1": 0.5, "timeout=0": 0, 'timeout="7"': 6}
NONE = {"": 60, "max=3": 60, "timeout=x": 60, "timeout=999999999": 60}


@pytest.mark.parametrize(("hint", "seconds"), (HINTS | NONE).items())
def test_a_connection_is_kept_a_little_shorter_than_the_server_keeps_it(hint: str, seconds: float) -> None:
    assert kept_for(hint) == seconds
