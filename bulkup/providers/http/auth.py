"""The token of a described service that has the table `oauth`."""

from __future__ import annotations

import base64
from urllib.parse import quote

from bulkup.config.described_service import OauthTable
from bulkup.helpers.secrets import Secret
from bulkup.providers.base import ProviderConfig
from bulkup.providers.client_credentials import ClientCredentials, TokenEndpoint
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.rendering import Compiler

_LIFETIME = 3600.0  # seconds of a token whose answer states none; a refused one is replaced earlier


def client_credentials(
    table: OauthTable, config: ProviderConfig, service: str, compiler: Compiler
) -> ClientCredentials:
    """Return the tokens of the configured OAuth client."""
    client_id, secret = (config.credentials[name].reveal() for name in ("client_id", "client_secret"))
    fields = {"grant_type": table.grant}
    headers: dict[str, str | Secret] = {}
    if table.client == "basic":
        pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"  # encoded before, RFC 6749 2.3.1
        headers["Authorization"] = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    else:
        fields |= {"client_id": client_id, "client_secret": secret}
    fields |= {"scope": table.scope} if table.scope is not None else {}
    fields |= {name: compiler.text(template)(FileValues(None)) for name, template in table.fields.items()}
    root, path = _parts(table.url)
    return ClientCredentials(
        TokenEndpoint(f"the token service of {service}", path, fields, headers, root, _LIFETIME), config.clock
    )


def _parts(url: str) -> tuple[str | None, str]:
    """Return the root of a token endpoint, None if it is that of the service, and its path."""
    if url.startswith("/"):
        return None, url
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}"
