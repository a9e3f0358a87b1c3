"""Rules for hosts: public addresses, allowed hosts, and the spelling of hosts in the settings."""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from bulkup.config.host_names import normalise_host
from bulkup.helpers.address_literals import literal
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.providers.answer_parsing import upload_url
from bulkup.transport.destination.host_rules import HostRules, check_addresses, is_public
from bulkup.transport.destination.redirects import redirected

INSIDE = [
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "0.0.0.0", "0.1.2.3"),
    *("100.64.0.1", "100.127.255.255", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1", "::127.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"),
    *("127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "[::1]", "0"),
]
OUTSIDE = [
    *("8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "[2606:4700::1111]"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "134744072"),
]
NAMES = st.lists(st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8), min_size=1, max_size=4).map(
    lambda labels: ".".join([*labels, "example"])
)


@pytest.mark.parametrize("address", INSIDE)
def test_a_private_address_is_not_public(address: str) -> None:
    """In any spelling."""
    assert literal(address) is not None
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_internet_address_is_public(address: str) -> None:
    """Even if it is embedded in an IPv6 address."""
    assert is_public(address)


@given(st.ip_addresses())
def test_addresses_that_the_standard_library_calls_special_are_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    assert not (special and is_public(str(address)) and getattr(address, "ipv4_mapped", None) is None)


@given(st.ip_addresses(v=4))
def test_an_embedded_ipv4_address_is_as_public_as_itself(address: ipaddress.IPv4Address) -> None:
    for wrapped in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(wrapped) is is_public(str(address))


@pytest.mark.parametrize("host", ["localhost", "a.example", "1.example", "", "x.1", "..."])
def test_a_name_is_not_an_address(host: str) -> None:
    """Its address is only known after a lookup."""
    assert literal(host) is None
    assert not is_public(host)


def refusal(rules: HostRules, host: str) -> str | None:
    try:
        rules.check_name(host)
    except ProblemError as error:
        return f"{error.problem.kind}: {error.problem.message}"
    return None


@pytest.mark.parametrize(
    ("allowed", "host", "taken"),
    [
        ((), "a.example", True),
        (("a.example",), "a.example", True),
        (("a.example",), "A.Example.", True),
        (("a.example",), "b.example", False),
        (("a.example",), "x.a.example", False),
        (("a.example",), "a.example.evil.test", False),
        (("*.a.example",), "x.a.example", True),
        (("*.a.example",), "x.y.a.example", True),
        (("*.a.example",), "a.example", False),
        (("*.a.example",), "xa.example", False),
        (("10.0.0.1",), "10.0.0.1", True),
        (("10.0.0.1",), "0xa.1", True),
        (("10.0.0.1",), "10.0.0.2", False),
        (("fd00::1",), "[fd00:0::1]", True),
        (("*.0.0.1",), "10.0.0.1", False),
    ],
)
def test_only_allowed_hosts_and_subdomains_of_a_wildcard_pass(allowed: tuple[str, ...], host: str, taken: bool) -> None:
    said = refusal(HostRules(allowed), host)
    assert (said is None) is taken
    assert said is None or (said.startswith(str(ProblemKind.UNUSABLE)) and "allowed_hosts" in said)


def test_a_wildcard_does_not_allow_private_addresses() -> None:
    """The owner of a subdomain could point it to any address."""
    rules = HostRules(("*.a.example", "b.example"))
    assert not rules.trusts("x.a.example")
    assert rules.trusts("b.example")


def test_a_refusal_names_host_address_and_setting() -> None:
    with pytest.raises(ProblemError) as refused:
        check_addresses("a.example", ["8.8.8.8", "10.0.0.1"])
    assert "a.example at 10.0.0.1" in refused.value.problem.message
    assert "add a.example to allowed_hosts" in refused.value.problem.message


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("A.Example.", "a.example"),
        ("*.S3.Example", "*.s3.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("[FD00:0::1]", "fd00::1"),
        ("localhost", "localhost"),
    ],
)
def test_hosts_are_normalized(text: str, host: str) -> None:
    """So that they can be compared with the hosts of URLs."""
    assert normalise_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *("", "*", "*.", "https://a.example", "a.example:443", "a.example/x", "a.*.example", "*a.example", "a..b"),
        *("127.1", "a b", "a\nb", "10.0.0.0/8", "-a.example", "x" * 64 + ".example"),
    ],
)
def test_an_invalid_host_is_refused(text: str) -> None:
    """Before anything starts, and without repeating it in the message."""
    with pytest.raises(ValueError, match=r"^expected host names"):
        normalise_host(text)


@given(NAMES, NAMES)
def test_an_allowed_host_does_not_allow_similar_names(pinned: str, host: str) -> None:
    rules = HostRules((normalise_host(pinned),))
    assert (refusal(rules, host) is None) is (pinned == host)


START = SecretUrl("http://a.example/k")
ODD = st.text("aZ0.-_~:/?#[]@!$&'()*+,;=%\\ \t\u00e9", max_size=20)


@given(st.sampled_from(["http", "https"]), ODD)
def test_the_checked_host_is_the_one_that_is_connected_to(scheme: str, rest: str) -> None:
    """The origin, which is checked, has the same host as the whole URL, which is connected to."""
    makers: list[Callable[[], SecretUrl]] = [
        lambda: upload_url(f"{scheme}://{rest}", "http://a", "x"),
        lambda: redirected(START, f"//{rest}"),
    ]
    for make in makers:
        try:
            url = make()
        except ProblemError:
            continue
        assert URL(url.origin, encoded=True).raw_host == URL(url.reveal(), encoded=True).raw_host
