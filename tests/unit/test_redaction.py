"""Messages of problems without secrets, and the errors that end a run."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

import pytest
from secret_search import found_in, made_up, ways

from bulkup.config.catalogue import SECRETS
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.errors import ExitCode
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.pipeline.policy.fatal import fatal
from bulkup.pipeline.policy.redaction import redact
from bulkup.providers import ProviderConfig
from bulkup.providers.magic_hour.adapter import MagicHour


def test_what_the_other_side_quotes_of_our_secrets_is_masked() -> None:
    """A service may repeat the key that it refuses, and storage the URL."""
    token, signature = secrets.token_hex(), secrets.token_hex()
    provider = MagicHour(ProviderConfig("https://api.example.com", {"token": Secret(token)}))
    said = f"invalid key {token} for https://store.example.com/a?X-Amz-Signature={signature} (try again)"
    message = redact(Problem(ProblemKind.FAILED, said), provider).message
    assert token not in message
    assert signature not in message
    assert message == "invalid key *** for https://store.example.com/a?*** (try again)"


def test_what_only_names_an_account_is_told() -> None:
    """It opens nothing, and is part of many a host's name; the secrets that go with it are masked all the same."""
    given = {name: Secret(f"huaweicloud-{name}") for name in IDENTIFIERS}
    keys = {name: Secret(secrets.token_hex()) for name in SECRETS if name not in IDENTIFIERS}
    provider = MagicHour(ProviderConfig("https://api.example.com", {**given, **keys}))
    host = "cannot connect to https://metastudio.cn-north-4.myhuaweicloud.com"
    assert redact(Problem(ProblemKind.FAILED, host), provider).message == host
    named = ", ".join(secret.reveal() for secret in given.values())
    assert redact(Problem(ProblemKind.FAILED, named), provider).message == named
    for secret in keys.values():
        assert redact(Problem(ProblemKind.FAILED, f"no {secret.reveal()}"), provider).message == "no ***"


def test_what_storage_quotes_of_a_ticket_is_masked() -> None:
    """However it is written: a signature by itself, a field of a form; not a key, a date, or what is short."""
    provider = MagicHour(ProviderConfig("https://api.example.com"))
    signature, policy, part = made_up(), made_up(), made_up()
    query = urlencode({"X-Amz-Signature": signature, "X-Amz-Date": "20300131T000000Z", "n": "1"})
    ticket = Ticket(
        SecretUrl(f"https://s.example/k?{query}"),
        "id",
        form=(("policy", Secret(policy)), ("key", Secret("uploads/a/long/path.mp4")), ("acl", Secret("private"))),
        more_urls=(SecretUrl(f"https://s.example/k?{urlencode({'sig': part})}"),),
    )
    harmless = "uploads/a/long/path.mp4 of 20300131T000000Z is private and 1"
    for secret in (signature, policy, part):
        for way in ways(secret):
            message = redact(Problem(ProblemKind.FAILED, f"{way} {harmless}"), provider, ticket).message
            assert found_in(message, [secret]) == []
            assert message.endswith(harmless)


def told_of(said: str) -> str:
    return redact(Problem(ProblemKind.FAILED, said), MagicHour(ProviderConfig("https://api.example.com"))).message


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("at https://h/a?X-Amz-Signature=secret&b=c", "at https://h/a?***"),
        ("at https://h/a?acl&sig=secret (again)", "at https://h/a?*** (again)"),
        ('{"url": "https://h/a?sig\\u003dsecret\\u0026b"}', '{"url": "https://h/a?***"}'),
        ("<Resource>/a?Signature%3Dsecret</Resource>", "<Resource>/a?***</Resource>"),
        ("from=https%3A%2F%2Fh%2Fa%3Fsig%3Dsecret", "from=https%3A%2F%2Fh%2Fa%3F***"),
        ('"https:\\u002f\\u002fh\\u003Fsig=secret"', '"https:\\u002f\\u002fh\\u003F***"'),
        ("at https://h/a?secret", "at https://h/a?***"),
        ("at https://h/a?X-Amz-Sig", "at https://h/a?***"),
        ("at https://h/a?", "at https://h/a?"),
    ],
)
def test_the_query_of_a_url_is_masked_in_every_form(said: str, shown: str) -> None:
    """With a value or without, escaped as a whole or in part, and cut off anywhere."""
    assert told_of(said) == shown


@pytest.mark.parametrize("end", ["", ")", " (again)", '"', "\n"])
def test_a_question_of_our_own_is_no_query(end: str) -> None:
    """A hint that ends in a question mark stays as it is."""
    hint = f"Magic Hour answered text/html, not JSON; is base_url the root of this service?{end}"
    assert told_of(hint) == hint


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (ProblemKind.UNREACHABLE, "check base_url and the network"),
        (ProblemKind.TRANSIENT, "the service fails repeatedly, or its answers make no sense"),
        (ProblemKind.THROTTLED, "the service accepts no requests for now (see retry_for, retry_after_max)"),
    ],
)
def test_the_hint_fits_what_ended_the_run(kind: ProblemKind, hint: str) -> None:
    """A service that answers nonsense was reached: the network is not at fault."""
    assert fatal(Problem(kind, "no")).hint == f"{hint}; the same command resumes where this run stopped"


def test_a_fatal_problem_says_what_to_do_next() -> None:
    """The same command resumes after any of them."""
    for kind in ProblemKind:
        assert "resumes where this run stopped" in fatal(Problem(kind, "no")).hint


def test_an_outage_names_its_length() -> None:
    """A fault of this machine or of the credentials is no outage."""
    errors = {kind: fatal(Problem(kind, "no"), 900.4) for kind in ProblemKind}
    outages = {kind for kind, error in errors.items() if "no other request was answered for 900 s" in error.message}
    assert outages == {ProblemKind.TRANSIENT, ProblemKind.THROTTLED, ProblemKind.UNREACHABLE}
    assert errors[ProblemKind.MACHINE].exit_code == ExitCode.MACHINE
