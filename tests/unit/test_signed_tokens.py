"""Signed tokens: their expiry, and the credential that each belongs to."""

from __future__ import annotations

from bulkup.localserver.signed_tokens import TokenSigner

NOW = 1_700_000_000.0


def test_a_token_is_valid_until_its_expiry_and_for_its_credential() -> None:
    signer = TokenSigner("secret", "iam")
    token = signer.issue("password", NOW + 60)
    assert signer.is_valid(token, "password", NOW + 59)
    assert not signer.is_valid(token, "password", NOW + 60)
    assert not signer.is_valid(token, "changed", NOW)
    assert TokenSigner("secret", "iam").is_valid(token, "password", NOW)
    assert not TokenSigner("secret", "oauth").is_valid(token, "password", NOW)
    assert not TokenSigner("other", "iam").is_valid(token, "password", NOW)


def test_tokens_differ_and_their_expiry_cannot_be_changed() -> None:
    signer = TokenSigner("secret", "iam")
    token = signer.issue("password", NOW)
    assert token != signer.issue("password", NOW)
    longer = f"{int(NOW) + 1000:x}" + token[token.index(".") :]
    assert not signer.is_valid(longer, "password", NOW)
    for wrong in ("", "x", "1.2.3", token + "A", token.upper(), "é" + token):
        assert not signer.is_valid(wrong, "password", 0.0)
