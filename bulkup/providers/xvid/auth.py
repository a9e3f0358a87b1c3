"""Fetches tokens from Xvid for OAuth client credentials (docs/contracts.md section 4)."""

from __future__ import annotations

from bulkup.providers.base import ProviderConfig
from bulkup.providers.client_credentials import ClientCredentials, TokenEndpoint

_SERVICE = "Xvid's token service"
# Singular, unlike the standard's `client_credentials`: the service accepts only this.
_GRANT = "client_credential"
_SCOPE = "mediahub,mediahub_write"


def client_credentials(config: ProviderConfig) -> ClientCredentials:
    """Return the tokens of the configured OAuth client."""
    given = config.credentials
    form = {
        "grant_type": _GRANT,
        "client_id": given["client_id"].reveal(),
        "client_secret": given["client_secret"].reveal(),
        "scope": _SCOPE,
    }
    return ClientCredentials(TokenEndpoint(_SERVICE, "/v1/oauth2/token/", form), config.clock)
