"""Commands with proxies in the environment: which of them get requests, and which are refused."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from e2e_world import TOKEN, Answer, World, answering, run


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(4)
    return world


def refusing(requests: list[str], status: int = 403) -> AbstractContextManager[str]:
    """Return a server that keeps the paths of its requests and refuses them."""

    def answer(path: str, _: bytes) -> Answer:
        requests.append(path)
        return status, {}, b""

    return answering(answer)


def test_the_embedded_server_is_reached_directly(world: World) -> None:
    """By API calls, and by the uploads of sending processes. A demo succeeds as well."""
    requests: list[str] = []
    with refusing(requests) as proxy:
        env = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), proxy)
        world.upload(*world.local, "--processes", "2", env=env).expect(0)
        run("demo", str(world.source), env=env).expect(0)
    assert requests == []
    assert world.verify() == 4


def test_a_socks_proxy_is_refused_before_a_run(world: World) -> None:
    """With the variable's name and without its password. No journal is made."""
    env = {**TOKEN, "all_proxy": "socks5h://me:hunter2@127.0.0.1:9"}
    done = world.upload(*world.to("http://service.test"), env=env).expect(2, "all_proxy names a socks5h proxy")
    assert "hunter2" not in done.err
    assert not world.journal.exists()
    world.upload(*world.local, env=env).expect(0)


def test_a_proxy_that_asks_for_a_password_ends_the_run(world: World) -> None:
    """After its first answer."""
    requests: list[str] = []
    with refusing(requests, 407) as proxy:
        env = {**TOKEN, "http_proxy": proxy}
        world.upload(*world.to("http://service.test"), env=env).expect(4, "the proxy for", "407")
    assert len(requests) == 1
