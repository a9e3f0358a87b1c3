"""What Dask's configuration says of TLS is checked before a scheduler is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import dask.config
import pytest
from distributed.security import Security

from bulkup import UsageError
from bulkup.cluster.dask_fleet import DaskFleet, check_tls

CLUSTER_PAGE = Path(__file__).parents[2] / "docs/how-to/cluster.md"


@contextlib.contextmanager
def configured(ca_file: str | None = None, client: str | None = None) -> Generator[None]:
    """Let Dask's configuration name these certificates, and no others."""
    tls = "distributed.comm.tls"
    settings = {
        f"{tls}.ca-file": ca_file,
        f"{tls}.client.cert": client,
        f"{tls}.client.key": client,
        "distributed.comm.require-encryption": None,
        "distributed.client.security-loader": None,
    }
    with dask.config.set(settings):
        yield


async def test_an_address_with_tls_needs_certificates() -> None:
    with configured(), pytest.raises(UsageError, match="names no certificates") as refused:
        await DaskFleet("tls://127.0.0.1:9", "test", 1.0).connect()
    assert "tls://127.0.0.1:9" in refused.value.message
    assert "ssl_context" not in refused.value.message
    assert "distributed.comm.tls" in refused.value.hint
    assert "the section TLS of docs/how-to/cluster.md" in refused.value.hint
    assert "\n## TLS\n" in CLUSTER_PAGE.read_text()


def test_an_authority_without_a_certificate_of_the_client_is_not_enough() -> None:
    with configured(ca_file=__file__), pytest.raises(UsageError, match="names no certificates"):
        check_tls("tls://there:1", Security())


@pytest.mark.parametrize("address", ["tls://there:1", "tcp://127.0.0.1:1"])
def test_certificates_that_cannot_be_read_are_named(address: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with (
        configured(missing, missing),
        pytest.raises(UsageError, match=r"cannot be used: .*No such file") as refused,
    ):
        check_tls(address, Security())
    assert isinstance(refused.value.__cause__, OSError)
    assert "distributed.comm.tls" in refused.value.hint


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1"])
def test_an_address_without_tls_is_refused_where_dask_demands_it(address: str) -> None:
    with pytest.raises(UsageError, match="demands TLS") as refused:
        check_tls(address, Security(require_encryption=True))
    assert "tls://" in refused.value.hint


def test_certificates_of_one_run_are_enough() -> None:
    check_tls("tls://127.0.0.1:1", Security.temporary())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "inproc://1/2"])
def test_an_address_without_tls_needs_none(address: str) -> None:
    with configured():
        check_tls(address, Security())
