"""S3 and compatible stores: upload URLs are signed on this machine, so they cost no call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkup.helpers.secrets import Secret
from bulkup.model.files import Place
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem
from bulkup.model.tickets import Rejection, Ticket
from bulkup.providers.base import Capabilities, FileSpec, Provider, ProviderConfig
from bulkup.providers.key_template import KeyTemplate, fault_of_key, is_utf8
from bulkup.providers.s3.answers import classify
from bulkup.providers.s3.credentials import KeySource
from bulkup.providers.s3.endpoint import BucketAddress
from bulkup.providers.s3.object_headers import ObjectHeaders
from bulkup.providers.s3.signing import AccessKeys, UrlSigner


class S3(Provider):
    """A bucket. The remote id of a file is the key of its object."""

    name = "s3"

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        settings = config.settings
        self._bucket: str = settings["bucket"]
        self._address = BucketAddress.of(config.base_url, self._bucket, settings["region"], settings["addressing"])
        self._key = KeyTemplate(settings["key"])
        self._headers = ObjectHeaders(settings)
        self._source = KeySource(config)
        self._lifetime: float = settings["url_lifetime"]
        self._signer: tuple[AccessKeys, UrlSigner] | None = None
        self._capabilities = Capabilities(batch_limit=1000, batch_size=200, placed=True)

    @property
    def capabilities(self) -> Capabilities:
        """The limits and needs of the store."""
        return self._capabilities

    @property
    def scope(self) -> str:
        """The bucket."""
        return self._bucket

    @property
    def secrets(self) -> Iterable[Secret]:
        """The keys of the settings, and those that were found."""
        return (*super().secrets, *self._source.secrets)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files whose object key would be invalid."""
        fault = fault_of_key(self._key(spec), self.name)
        return super().reject(spec) if fault is None else Rejection(fault)

    def place(self, spec: FileSpec) -> Place | None:
        """Return the object key, which two files must not share. None if it is not valid UTF-8."""
        key = self._key(spec)
        return Place(key, exclusive=True) if is_utf8(key) else None

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Sign upload URLs. The store does not know of them until their files arrive."""
        del call  # nothing is requested
        keys = await self._source.keys()
        signer, now = self._signer_for(keys), self.config.service_now()
        expires_at = self.config.clock.now() + self._lifetime
        if keys.expires_at is not None:
            expires_at = min(expires_at, keys.expires_at)
        return [self._ticket(self._key(spec), spec, signer, now, expires_at) for spec in specs]

    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem in storage's answer, with what to do about it."""
        return classify(answer, now)

    def _signer_for(self, keys: AccessKeys) -> UrlSigner:
        if self._signer is None or self._signer[0] is not keys:
            self._signer = keys, UrlSigner(keys, self._address.target, int(self._lifetime))
        return self._signer[1]

    def _ticket(self, key: str, spec: FileSpec, signer: UrlSigner, now: float, expires_at: float) -> Ticket:
        headers = self._headers.of(spec.extension)
        return Ticket(
            url=signer.sign("PUT", self._address.path_of(key), now, headers),
            remote_id=key,
            expires_at=expires_at,
            headers=headers,
            remote={"bucket": self._bucket, "key": key},
            content_md5=True,
        )
