"""Fetches tokens from Xvid for OAuth client credentials (docs/contracts.md section 4)."""

from __future__ import annotations

from bulkup.helpers.secrets import Secret
from bulkup.providers.base import ProviderConfig
from bulkup.providers.client_credentials import ClientCredentials, TokenEndpoint

_SERVICE = "Xvid's token service"
# Singular, unlike the standard's `client_credentials`: the service accepts only this.
_GRANT = "client_credential"
_SCOPE = "mediahub,mediahub_write"


def client_credentials(config: ProviderConfig) -> ClientCredentials:
    """Return the tokens of the configured OAuth client."""
    given, none = config.credentials, Secret("")  # a preview has none, and makes no calls
    form = {
        "grant_type": _GRANT,
        "client_id": given.get("client_id", none).reveal(),
        "client_secret": given.get("client_secret", none).reveal(),
        "scope": _SCOPE,
    }
    return ClientCredentials(TokenEndpoint(_SERVICE, "/v1/oauth2/token/", form), config.clock)
