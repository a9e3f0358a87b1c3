"""Which settings are secrets; by themselves, as providers need to know it and have no use for all the others."""

from __future__ import annotations

SECRETS = (
    "token",
    "api_key",
    "access_key",
    "secret_key",
    "security_token",
    "auth_token",
    "iam_user",
    "iam_domain",
    "iam_password",
    "client_id",
    "client_secret",
)
# Secrets by the way they are given only: they name an account and open nothing by themselves.
IDENTIFIERS = ("access_key", "iam_user", "iam_domain", "client_id")
