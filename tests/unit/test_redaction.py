"""Redaction: messages of services and storage without secrets."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

import pytest
from secret_search import found_in, made_up, ways

from bulkup.config.catalogue import SECRETS
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import ClosingAction, Ticket
from bulkup.pipeline.policy.redaction import redact
from bulkup.providers import ProviderConfig
from bulkup.providers.magic_hour.adapter import MagicHour


def test_credentials_and_urls_in_a_message_are_masked() -> None:
    """A service may repeat the key that it refuses, and storage the URL of the request."""
    token, signature = secrets.token_hex(), secrets.token_hex()
    provider = MagicHour(ProviderConfig("https://api.example.com", {"token": Secret(token)}))
    said = f"invalid key {token} for https://store.example.com/a?X-Amz-Signature={signature} (try again)"
    message = redact(Problem(ProblemKind.FAILED, said), provider).message
    assert token not in message
    assert signature not in message
    assert message == "invalid key *** for https://store.example.com/a?*** (try again)"


def test_settings_that_only_name_an_account_are_shown() -> None:
    """They grant no access and are part of many host names. The secrets beside them are masked."""
    given = {name: Secret(f"huaweicloud-{name}") for name in IDENTIFIERS}
    keys = {name: Secret(secrets.token_hex()) for name in SECRETS if name not in IDENTIFIERS}
    provider = MagicHour(ProviderConfig("https://api.example.com", {**given, **keys}))
    host = "cannot connect to https://metastudio.cn-north-4.myhuaweicloud.com"
    assert redact(Problem(ProblemKind.FAILED, host), provider).message == host
    named = ", ".join(secret.reveal() for secret in given.values())
    assert redact(Problem(ProblemKind.FAILED, named), provider).message == named
    for secret in keys.values():
        assert redact(Problem(ProblemKind.FAILED, f"no {secret.reveal()}"), provider).message == "no ***"


def test_secrets_in_the_headers_of_a_ticket_are_masked() -> None:
    """Storage may repeat a token of a header. A short value, such as a length, is no secret."""
    token = secrets.token_hex()
    headers = {"Authorization": Secret(f"Bearer {token}"), "X-Length": Secret("7")}
    ticket = Ticket(SecretUrl("https://store.example.com/7"), "7", headers=headers)
    provider = MagicHour(ProviderConfig("https://api.example.com", {}))
    said = redact(Problem(ProblemKind.FAILED, f"7 of 77: invalid Bearer {token}"), provider, ticket).message
    assert said == "7 of 77: invalid ***"


def test_the_id_of_a_file_is_no_secret() -> None:
    """Nor is a value that the manifest shows, where a service wants one of them in a header, a query or a form."""
    slot, etag, kept, token = "slot-0001-of-a-file", secrets.token_hex(), secrets.token_hex(), secrets.token_hex()
    ticket = Ticket(
        SecretUrl(f"https://s.example/k?slot={slot}&sig={token}"),
        slot,
        headers={"X-Slot": Secret(slot), "X-Etag": Secret(etag), "Authorization": Secret(f"Bearer {kept}")},
        form=(("slot", Secret(slot)),),
        remote={"id": slot, "etag": etag, "upload_token": kept, "parts": 3},
    )
    provider = MagicHour(ProviderConfig("https://api.example.com"))
    said = f"{slot} has {etag}, and {kept} or {token} is wrong"
    message = redact(Problem(ProblemKind.FAILED, said), provider, ticket).message
    assert message == f"{slot} has {etag}, and *** or *** is wrong"


def test_secrets_of_a_ticket_are_masked_in_every_encoding() -> None:
    """Signatures and secret form fields are masked. Object keys, dates and short values are not."""
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


def redacted(said: str) -> str:
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
    """With or without a value, escaped as a whole or in part, and cut off at any point."""
    assert redacted(said) == shown


@pytest.mark.parametrize("end", ["", ")", " (again)", '"', "\n"])
def test_a_question_mark_at_the_end_of_a_sentence_is_no_query(end: str) -> None:
    """A hint that ends in a question mark is not changed."""
    hint = f"Magic Hour answered text/html, not JSON; is base_url the root of this service?{end}"
    assert redacted(hint) == hint


@pytest.mark.parametrize("scheme", ["Bearer ", "Basic ", ""])
def test_headers_that_the_service_named_are_masked(scheme: str) -> None:
    """Of the upload and of the closing call, whole or without their scheme. Headers that are not secret stay."""
    provider = MagicHour(ProviderConfig("https://api.example.com"))
    upload, closing, in_url = (secrets.token_hex() for _ in range(3))
    ticket = Ticket(
        SecretUrl("https://store.example.com/a"),
        "id",
        headers={"Authorization": Secret(scheme + upload), "Content-Type": "application/octet-stream"},
        closing=ClosingAction(
            SecretUrl(f"https://api.example.com/verify?token={in_url}"), {"Authorization": Secret(scheme + closing)}
        ),
    )
    said = f"{scheme}{upload} and {closing} and {in_url} of application/octet-stream"
    message = redact(Problem(ProblemKind.FAILED, said), provider, ticket).message
    assert found_in(message, (upload, closing, in_url)) == []
    assert message.endswith("of application/octet-stream")
