"""The credentials of a session: those that were sent, and those that a worker fetches."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup import UsageError
from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.session_setup import SessionSetup
from bulkup.cluster.worker_credentials import credentials_of
from bulkup.config import SecretSource
from bulkup.helpers.secrets import Secret
from bulkup.pipeline import PipelineOptions, Tunables
from bulkup.transport import TransportOptions


def setup_with(sent: dict[str, str], **references: str) -> SessionSetup:
    """Return a set-up as it arrives on a worker."""
    setup = SessionSetup(
        run="r",
        epoch=1,
        journal="j",
        address="tls://w",
        provider="magic-hour",
        base_url="https://api.example",
        credentials={name: Secret(value) for name, value in sent.items()},
        values={},
        transport=TransportOptions(1),
        options=PipelineOptions(),
        tunables=Tunables(),
        cluster=ClusterOptions(),
        sources=(),
        references={name: SecretSource.parse(name, text) for name, text in references.items()},
    )
    return SessionSetup.opened(setup.sealed())


async def test_credentials_that_were_sent_are_used() -> None:
    assert await credentials_of(setup_with({"token": "t"}), {}) == {"token": Secret("t")}


async def test_references_are_resolved_where_the_worker_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    setup = setup_with({}, access_key="account", secret_key=f"file:{tmp_path}/key", security_token="env:TOKEN")
    found = await credentials_of(setup, {"TOKEN": "of the worker"})
    assert {name: secret.reveal() for name, secret in found.items()} == {
        "access_key": "account",
        "secret_key": "from a file",
        "security_token": "of the worker",
    }


@pytest.mark.parametrize(
    ("reference", "text"),
    [("env:TOKEN", "token: env:TOKEN is not set"), ("file:/missing/key", "token: file:/missing/key cannot be read")],
)
async def test_what_a_worker_lacks_is_named(reference: str, text: str) -> None:
    with pytest.raises(UsageError, match=text) as missing:
        await credentials_of(setup_with({}, token=reference), {})
    assert "on the worker" in missing.value.hint
