"""The proxies of the environment: which one a URL goes through, and which hosts are reached directly."""

from __future__ import annotations

import pytest

from bulkup.errors import UsageError
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.transport.proxies import Proxies

PROXY = "http://proxy.example:3128"


def by_proxy(monkeypatch: pytest.MonkeyPatch, host: str, no_proxy: str = "") -> bool:
    """Return whether a URL with that host goes through a proxy. The tests' environment names none of its own."""
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv("no_proxy", no_proxy)
    proxy = Proxies().for_url(f"http://{host}/key?X-Sig=1")
    assert proxy in (None, PROXY)
    return proxy is not None


def test_each_scheme_has_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """`all_proxy` is for schemes without one. A proxy without a scheme is an http proxy."""
    assert Proxies().for_url("https://a.example/") is None
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    monkeypatch.setenv("all_proxy", "proxy:2")
    monkeypatch.setenv("no_proxy", "internal.example")
    proxies = Proxies()
    assert proxies.for_url("https://a.example/x?y") == "http://proxy:1"
    assert proxies.for_url("http://a.example/") == "http://proxy:2"
    assert proxies.for_url("https://b.internal.example:8443/") is None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:9000", "localhost.", "files.localhost"),
        *("127.0.0.1", "127.0.0.1:9000", "127.1", "127.255.255.254", "0x7f.1", "2130706433", "0.0.0.0"),
        *("[::1]", "[::1]:9000", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "user@127.0.0.1"),
    ],
)
def test_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """`<-loopback>` in no_proxy asks for the proxy, as in Chromium."""
    assert not by_proxy(monkeypatch, host)
    assert by_proxy(monkeypatch, host, "<-loopback>")
    assert not by_proxy(monkeypatch, host, f"<-loopback>,{host.partition('@')[2] or host}")


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "128.0.0.1", "[::2]", "[::ffff:10.0.0.1]"])
def test_other_hosts_are_not_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert by_proxy(monkeypatch, host)


@pytest.mark.parametrize(
    ("no_proxy", "direct", "proxied"),
    [
        ("*", ("a.example", "10.0.0.1", "[2001:db8::1]"), ()),
        (
            "a.example",
            ("a.example", "A.Example:81", "b.a.example", "a.example."),
            ("ba.example", "example", "10.0.0.1"),
        ),
        (".a.example.", ("a.example", "b.a.example"), ("ba.example",)),
        ("x.example , a.example", ("a.example", "x.example"), ("y.example",)),
        ("x.example a.example", ("a.example", "x.example"), ("y.example",)),
        ("a.example:81", ("a.example:81", "b.a.example:81"), ("a.example", "a.example:8181")),
        ("a.example:80", ("a.example",), ("a.example:81",)),
        ("10.0.0.1", ("10.0.0.1", "10.0.0.1:81", "10.1"), ("10.0.0.2", "1.10.0.0.1.example", "110.0.0.1")),
        ("10.0.0.1:81", ("10.0.0.1:81",), ("10.0.0.1",)),
        ("10.1.2.3/8", ("10.0.0.1", "10.255.255.255"), ("11.0.0.1", "10.example", "[::ffff:10.0.0.1]")),
        ("192.168.0.0/16,fd00::/8", ("192.168.3.4", "[fd12::1]"), ("192.169.0.1", "[fe80::1]")),
        ("2001:db8::1", ("[2001:db8::1]", "[2001:DB8:0::1]:81"), ("[2001:db8::2]",)),
        ("[2001:db8::1]", ("[2001:db8::1]:81",), ("[2001:db8::2]",)),
        ("[2001:db8::1]:81", ("[2001:db8::1]:81",), ("[2001:db8::1]",)),
        ("2001:db8::/32", ("[2001:db8:ffff::1]",), ("[2001:db9::1]",)),
        ("10.0.0.0/33,10.0.0.0/x,10.0.0.0/-1,/8,/,:,[,]", (), ("10.0.0.1", "a.example")),
    ],
)
def test_no_proxy_is_read_as_by_curl(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: tuple[str, ...], proxied: tuple[str, ...]
) -> None:
    """Names with their subdomains, addresses and networks. An entry may also have a port."""
    assert [host for host in direct if by_proxy(monkeypatch, host, no_proxy)] == []
    assert [host for host in proxied if not by_proxy(monkeypatch, host, no_proxy)] == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "SOCKS", "ftp", "quic"])
def test_other_kinds_of_proxies_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """Only if the URL would go through it. The message has no password."""
    monkeypatch.setenv("all_proxy", f"{scheme}://me:hunter2@proxy:1080")
    monkeypatch.setenv("https_proxy", PROXY)
    proxies = Proxies()
    assert proxies.for_url("https://a.example/") == PROXY
    assert proxies.for_url("http://localhost/") is None
    with pytest.raises(ProblemError) as raised:
        proxies.for_url("http://a.example/")
    assert raised.value.problem.kind is ProblemKind.UNUSABLE
    assert f"all_proxy names a {scheme.lower()} proxy" in raised.value.problem.message
    assert "hunter2" not in raised.value.problem.message
    with pytest.raises(UsageError, match=f"all_proxy names a {scheme.lower()} proxy"):
        proxies.check("http://a.example/")


@pytest.mark.parametrize(
    "proxy", ["http://", "http://proxy:99999", "http://[::1", "http://:3128", "http://a b:1", "me:hunter2@proxy://x"]
)
def test_a_proxy_without_a_usable_address_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UsageError, match=r"^http_proxy is not the address of a proxy$"):
        Proxies().check("http://a.example/")
