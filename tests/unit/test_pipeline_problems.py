"""What users are told of problems."""

from __future__ import annotations

import secrets

from bulkup.messages import Kind, Problem
from bulkup.pipeline.problems import fatal, told
from bulkup.providers import ProviderConfig
from bulkup.providers.magic_hour import MagicHour
from bulkup.secrets import Secret


def test_what_the_other_side_quotes_of_our_secrets_is_masked() -> None:
    """A service may repeat the key that it refuses, and storage the URL."""
    token, signature = secrets.token_hex(), secrets.token_hex()
    provider = MagicHour(ProviderConfig("https://api.example.com", {"token": Secret(token)}))
    said = f"invalid key {token} for https://store.example.com/a?X-Amz-Signature={signature} (try again)"
    message = told(Problem(Kind.FAILED, said), provider).message
    assert token not in message
    assert signature not in message
    assert message == "invalid key *** for https://store.example.com/a?*** (try again)"


def test_a_fatal_problem_says_what_to_do_next() -> None:
    """Whatever ends a run, the same command goes on with it."""
    for kind in (Kind.UNAUTHORIZED, Kind.UNUSABLE, Kind.MACHINE, Kind.TRANSIENT):
        assert "goes on where this run stopped" in fatal(Problem(kind, "no")).hint
