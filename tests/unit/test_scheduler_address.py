"""Where the scheduler is, and whether credentials may go there."""

from __future__ import annotations

import pytest

from bulkup import UsageError
from bulkup.cluster.scheduler_address import check_encrypted, local_workers


def resolve(host: str) -> list[str]:
    names = {"here": ["127.0.0.1", "::1"], "mixed": ["127.0.0.1", "10.0.0.1"], "there": ["10.0.0.1"]}
    if host not in names and not host[:1].isdigit() and ":" not in host:
        raise OSError("no such host")
    return names.get(host, [host])


@pytest.mark.parametrize(
    "address",
    ["tls://there:8786", "wss://there:8786", "tcp://here:8786", "here:8786", "tcp://[::1]:8786", "127.0.0.1:1"],
)
def test_an_encrypted_or_local_scheduler_may_be_used(address: str) -> None:
    check_encrypted(address, insecure=False, resolve=resolve)


@pytest.mark.parametrize("address", ["tcp://there:8786", "mixed:8786", "tcp://[2001:db8::1]:8786", "ws://there:1"])
def test_a_remote_scheduler_without_tls_is_refused_unless_allowed(address: str) -> None:
    with pytest.raises(UsageError, match="has no TLS") as refused:
        check_encrypted(address, insecure=False, resolve=resolve)
    assert "cluster_insecure" in refused.value.hint
    check_encrypted(address, insecure=True, resolve=resolve)


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(UsageError, match="nowhere, is not known"):
        check_encrypted("tcp://nowhere:1", insecure=False, resolve=resolve)


def test_local_workers() -> None:
    assert local_workers("local:4") == 4
    assert local_workers("tcp://local:4") is None
