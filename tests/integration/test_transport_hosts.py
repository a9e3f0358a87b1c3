"""Host rules over real connections: allowed hosts, private addresses, names that resolve to them, and redirects."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pipeline_world import World, world
from test_transport import OK, SMALL, Bytes, Server, no_proxies, send, serving, transport

from bulkup.api import composition
from bulkup.errors import ServiceError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.transport import HostRules
from bulkup.transport.destination import redirects
from bulkup.transport.destination.guarded_resolver import GuardedResolver
from bulkup.transport.destination.redirects import headers_for, redirected

__all__ = ["no_proxies"]
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"
OUTSIDE = HostRules(api_host=PUBLIC)


def by_address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


async def refused(url: str, rules: HostRules, **options: str) -> Problem:
    """Send to a refused host, and return the message."""
    async with transport(hosts=rules, **options) as sender:
        with pytest.raises(ProblemError) as raised:
            await send(sender, f"{url}/k?X-Amz-Signature=hidden", Bytes(SMALL))
    assert "hidden" not in raised.value.problem.message
    return raised.value.problem


@pytest.mark.parametrize("carrier", ["lean", "aiohttp"])
@pytest.mark.parametrize("named", [True, False], ids=["by name", "by address"])
async def test_a_public_service_cannot_send_files_to_private_addresses(named: bool, carrier: str) -> None:
    """By address or by name. Nothing connects, and the run ends."""
    async with serving() as server:
        problem = await refused(server.url if named else by_address(server), OUTSIDE, sender=carrier)
    assert problem.kind is ProblemKind.UNUSABLE
    assert "127.0.0.1" in problem.message
    assert "add " + ("localhost" if named else "127.0.0.1") + " to allowed_hosts" in problem.message
    assert server.connections == 0


@pytest.mark.parametrize(
    "rules",
    [
        HostRules(),
        HostRules(api_host="127.0.0.1"),
        HostRules(api_host="localhost"),
        HostRules(api_host="192.168.7.7"),
        HostRules(("localhost", "127.0.0.1"), PUBLIC),
    ],
    ids=["nothing known", "loopback", "a name of the inside", "another of the inside", "allowed"],
)
async def test_a_private_service_may_use_private_addresses(rules: HostRules) -> None:
    """So may a public one, if the user allowed the host."""
    async with serving() as server, transport(hosts=rules) as sender:
        for url in (server.url, by_address(server)):
            assert (await send(sender, f"{url}/k", Bytes(SMALL))).status == 200


async def test_allowed_hosts_apply_to_any_service() -> None:
    """Other hosts are refused before anything connects."""
    async with serving() as server:
        problem = await refused(server.url, HostRules(("storage.example",), "127.0.0.1"))
        assert problem.kind is ProblemKind.UNUSABLE
        assert "localhost, which allowed_hosts does not name" in problem.message
        wildcard = await refused(server.url, HostRules(("*.localhost",), "127.0.0.1"))
        assert "localhost, which allowed_hosts does not name" in wildcard.message
    assert server.connections == 0


@pytest.mark.parametrize("status", [307, 308])
async def test_the_host_rules_apply_to_redirects(status: int) -> None:
    async with serving() as server, serving() as other:
        where = f"{by_address(other)}/x".encode()
        server.answers = [b"HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, where)]
        problem = await refused(server.url, HostRules(("localhost",), PUBLIC))
    assert problem.kind is ProblemKind.UNUSABLE
    assert len(server.requests) == 1
    assert other.connections == 0


class SequenceResolver:
    """Answers each lookup with the next of its addresses, and counts the lookups."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def addresses(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self.answers.get(host):
            raise OSError("no such name")
        return self.answers[host].pop(0)


async def test_dns_rebinding_is_refused() -> None:
    """The checked addresses are those that are connected to."""
    names = SequenceResolver(files=[[PUBLIC], [PRIVATE]])
    guard = GuardedResolver(OUTSIDE, names)
    assert await guard.addresses("files") == [PUBLIC]
    with pytest.raises(ProblemError, match=rf"files at {PRIVATE}"):
        await guard.addresses("files")


async def test_one_private_address_is_enough_for_a_refusal() -> None:
    """Any of the addresses could be connected to."""
    with pytest.raises(ProblemError, match=PRIVATE):
        await GuardedResolver(OUTSIDE, SequenceResolver(files=[[PUBLIC, PRIVATE]])).addresses("files")


@pytest.mark.parametrize(
    ("api", "free"),
    [([[PRIVATE]], True), ([["fd00::1"]], True), ([[PUBLIC]], False), ([[PUBLIC, PRIVATE]], False), ([], False)],
    ids=["inside", "inside by IPv6", "public", "both", "not known here"],
)
async def test_the_services_own_address_is_looked_up_once(api: list[list[str]], free: bool) -> None:
    """A private service has its storage in the same network."""
    names = SequenceResolver(api=api, files=[[PRIVATE]] * 2)
    guard = GuardedResolver(HostRules(api_host="api"), names)
    for _ in range(2):
        if free:
            await guard.addresses("files")
        else:
            with pytest.raises(ProblemError):
                await guard.addresses("files")
    assert names.asked.count("api") == 1


@pytest.mark.usefixtures("no_proxies")
async def test_a_private_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks names up itself, so only literal addresses in URLs are checked."""
    async with serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with transport(hosts=OUTSIDE) as sender:
            assert (await send(sender, "http://storage.invalid/k", Bytes(SMALL))).status == 200
        assert (await refused(f"http://{PRIVATE}:9", OUTSIDE)).kind is ProblemKind.UNUSABLE
    assert [seen.line.split()[1] for seen in proxy.requests] == ["http://storage.invalid/k"]


@pytest.mark.parametrize(
    "location",
    [
        *("http://t.example/k", "HTTP://t.example/k", "ftp://t.example/k", "file:///etc/passwd", "javascript:1"),
        *(
            "data:,x",
            "https://user:password@t.example/k",
            "https://user@t.example/k",
            "//@t.example/",
            "//:@t.example/",
        ),
        *("//t.example&X-Sig=hidden/", "//t.example[::1]/"),
        *("//:@t.example/", "https://[", "https://t.example:x/", "https://t.example:0/", "https://t.example:65536/"),
        *("/a b", "/a\r\nX-Evil: 1", "/a\x00", "/\u00e9", "/a\\b"),
        *("//[]@", "https://]/", "//[::1]x/", "//x[::1]/", "//t.example&Signature=hidden", "//[::1%25eth0]/"),
    ],
)
def test_redirects_that_are_refused(location: str) -> None:
    """To http, another scheme, a user part or invalid characters. The URL is not quoted."""
    with pytest.raises(ProblemError) as raised:
        redirected(SecretUrl("https://s.example/a?X-Sig=hidden"), location)
    assert raised.value.problem.kind is ProblemKind.FAILED
    assert not any(text in raised.value.problem.message for text in ("hidden", "password", "Evil"))


def test_secret_headers_are_sent_only_to_their_origin() -> None:
    """Scheme, host and port. Plain headers, which the signature covers, are always sent."""
    headers: dict[str, str | Secret] = {"Content-Type": "video/mp4", "X-Key": Secret("hidden")}
    old = SecretUrl("https://s.example/a")
    for new in ("https://s.example/b", "https://S.example:443/b?x=1"):
        assert headers_for(SecretUrl(new), old, headers) == headers
    for new in ("https://t.example/a", "https://s.example:8443/a", "https://s.example.evil.test/a"):
        assert headers_for(SecretUrl(new), old, headers) == {"Content-Type": "video/mp4"}


async def test_secret_headers_do_not_follow_to_another_host() -> None:
    """Over the wire, and not even back from there."""
    async with serving() as server, serving() as other, transport() as sender:
        server.answers = [
            b"HTTP/1.1 307 X\r\nLocation: /same\r\nContent-Length: 0\r\n\r\n",
            f"HTTP/1.1 307 X\r\nLocation: {other.url}/other\r\nContent-Length: 0\r\n\r\n".encode(),
        ]
        other.answers = [f"HTTP/1.1 307 X\r\nLocation: {server.url}/back\r\nContent-Length: 0\r\n\r\n".encode()]
        headers: dict[str, str | Secret] = {"Content-Type": "video/mp4", "X-Key": Secret("hidden")}
        answer = await sender.send(
            Ticket(SecretUrl(f"{server.url}/first"), "id", headers=headers), Bytes(SMALL), {}, lambda _: None
        )
    assert answer.status == 200
    assert ["x-key" in seen.headers for seen in server.requests] == [True, True, False]
    assert ["x-key" in seen.headers for seen in other.requests] == [False]
    assert all(seen.headers["content-type"] == "video/mp4" for seen in server.requests + other.requests)


async def test_the_limit_on_redirects_counts_all_hosts() -> None:
    async with serving() as server, serving() as other, transport() as sender:
        server.answers = [f"HTTP/1.1 308 X\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()] * 99
        other.answers = [f"HTTP/1.1 308 X\r\nLocation: {server.url}/\r\nContent-Length: 0\r\n\r\n".encode()] * 99
        with pytest.raises(ProblemError, match="more than 3 times"):
            await send(sender, f"{server.url}/", Bytes(SMALL))
    assert len(server.requests) + len(other.requests) == redirects.MAX_REDIRECTS + 1


async def test_a_redirect_without_a_location_is_an_answer() -> None:
    async with serving() as server, transport() as sender:
        server.answers = [OK.replace(b"200 OK", b"307 X")]
        assert (await send(sender, f"{server.url}/", Bytes(SMALL))).status == 307


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        yield running


async def test_a_crafted_url_ends_the_run(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 4 and a hint. After the host is allowed, the same run succeeds."""
    place.write_many(5)
    with monkeypatch.context() as patch:
        patch.setattr(composition, "host_rules", lambda _: OUTSIDE)
        summary = await place.run()
    assert summary.exit_code == 4
    assert isinstance(summary.error, ServiceError)
    assert "add 127.0.0.1 to allowed_hosts" in summary.error.message
    assert place.puts == 0
    monkeypatch.setattr(composition, "host_rules", lambda _: HostRules(("127.0.0.1",), PUBLIC))
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


def test_the_host_rules_of_a_run_come_from_its_settings(place: World) -> None:
    """The embedded server of the run itself is not restricted."""
    rules = composition.host_rules(place.resolved(base_url="https://api.example:8443/x", allowed_hosts=("S.Example",)))
    assert rules == HostRules(("s.example",), "api.example")
    assert composition.host_rules(place.resolved(base_url=None)).api_host == "api.magichour.ai"
    assert composition.host_rules(place.resolved(provider="local", allowed_hosts=("s.example",))) == HostRules()
