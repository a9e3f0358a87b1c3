"""The settings of the embedded server."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.extension_lists import DEFAULT_LIST, EXTENSION_LISTS
from bulkup.localserver.faults import FaultSpec

MAX_URL_TTL = 7 * 24 * 3600  # the limit of signature version 4 (docs/contracts.md section 5)
MIN_API_KEY_LENGTH = 12  # the limit of Move's SDK (docs/contracts.md section 2)
CREDENTIAL_NAMES: Final = (
    *("token", "api_key", "access_key", "secret_key", "project_id", "security_token"),
    *("iam_domain", "iam_user", "iam_password", "client_id", "client_secret"),
)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of one embedded server. The default credentials are public and for local use only.

    - `store`: the directory with `objects/` and `state/`.
    - `port`: 0 takes a free port. With `prefer_last_port`, the port of the last start on this store is tried first, so
      that URLs issued then stay valid.
    - `url_ttl`: lifetime of URLs and upload forms in seconds, rounded up. None: the default of each service.
    - `magic_hour_extensions`: the list of extensions that Magic Hour's API accepts, by its name.
    - `tls`: PEM files of a certificate chain and its key.
    - `token`: credential of Magic Hour, Xvid, the local API, and MetaStudio (as X-Auth-Token).
    - `api_key`: credential of Move.
    - `access_key`, `secret_key`: the user of MetaStudio and of the store. `security_token` goes with temporary keys.
    - `project_id`: the project at MetaStudio.
    - `iam_domain`, `iam_user`, `iam_password`: the user that IAM issues tokens to.
    - `client_id`, `client_secret`: the client that Xvid's OAuth issues tokens to.

    Raises UsageError for invalid values.
    """

    store: str
    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default="local-token", repr=False)
    api_key: str = field(default="local-api-key-0001", repr=False)
    access_key: str = field(default="LOCALACCESSKEY000001", repr=False)
    secret_key: str = field(default="local-secret-key", repr=False)
    project_id: str = "local-project"
    security_token: str = field(default="local-security-token", repr=False)
    iam_domain: str = "local-domain"
    iam_user: str = "local-user"
    iam_password: str = field(default="local-password-0001", repr=False)
    client_id: str = "local-client"
    client_secret: str = field(default="local-client-secret", repr=False)
    url_ttl: float | None = None
    magic_hour_extensions: str = DEFAULT_LIST
    tls: tuple[str, str] | None = None
    faults: tuple[FaultSpec, ...] = ()
    seed: int = 0
    prefer_last_port: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"{self.port} is not a port number", hint="give one from 0 (any free port) to 65535")
        if self.url_ttl is not None and not 0 < self.url_ttl <= MAX_URL_TTL:
            raise UsageError(
                f"{self.url_ttl:g} seconds is not a valid lifetime for URLs",
                hint=f"give more than 0 and at most {MAX_URL_TTL}",
            )
        if self.magic_hour_extensions not in EXTENSION_LISTS:
            raise UsageError(
                f"there is no list {self.magic_hour_extensions!r} of Magic Hour's extensions",
                hint=f"give one of {', '.join(EXTENSION_LISTS)}",
            )
        for name in CREDENTIAL_NAMES:
            if not getattr(self, name):
                raise UsageError(f"the {name.replace('_', ' ')} is empty")
        if len(self.api_key) < MIN_API_KEY_LENGTH:
            raise UsageError(f"the API key is shorter than {MIN_API_KEY_LENGTH} characters")
