"""Failed exchanges as problems: the messages name the host, and stay short."""

from __future__ import annotations

import pytest

from bulkup.helpers.secrets import SecretUrl
from bulkup.transport.failures import FailureKind, exchange_problem

LONG = SecretUrl(f"https://store.example:8443/{'a/' * 30_000}?X-Amz-Signature=hidden")


@pytest.mark.parametrize("kind", FailureKind)
def test_a_message_does_not_repeat_a_long_url(kind: FailureKind) -> None:
    message = exchange_problem(kind, OSError(104, "Connection reset by peer"), LONG, 60.0).problem.message
    assert "https://store.example:8443/a/a/" in message
    assert len(message) < 500
    assert "hidden" not in message


def test_the_reason_follows_the_shortened_url() -> None:
    cause = OSError(104, "Connection reset by peer")
    assert exchange_problem(FailureKind.CONNECTION_LOST, cause, LONG, 60.0).problem.message.endswith(
        "… broke (Connection reset by peer)"
    )
