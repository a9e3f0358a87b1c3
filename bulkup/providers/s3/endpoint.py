"""The address of a bucket: its host, and the path of a key. Pure."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from bulkup.helpers.address_literals import literal
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.providers.s3.signing import Target, encoded_key

Addressing = Literal["auto", "path", "virtual"]
_AMAZON = re.compile(r"(?:^|\.)amazonaws\.com(?:\.cn)?$")
_AS_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """Where requests for one bucket go. `path` is the part of a path before the key, with its slash.

    `root` is the URL of the host, to which the path of an API call is appended.
    """

    target: Target
    path: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, region: str, addressing: Addressing) -> BucketAddress:
        """Return the address of a bucket at an endpoint, a URL without the bucket."""
        parts = urlsplit(endpoint)
        host, prefix = parts.netloc, parts.path.rstrip("/")
        amazon = _AMAZON.search(parts.hostname or "") is not None
        if addressing == "virtual" or (addressing == "auto" and amazon):
            # A name with dots matches no wildcard certificate, and an address has no names below it.
            name = bucket.replace(".", "") if parts.scheme == "http" else bucket
            if _AS_HOST.fullmatch(name) and literal(parts.hostname or "") is None:
                return cls(Target(parts.scheme, f"{bucket}.{host}", region), f"{prefix}/")
        return cls(Target(parts.scheme, host, region), f"{prefix}/{encoded_key(bucket)}/")

    def path_of(self, key: str) -> str:
        """Return the encoded path of an object."""
        return self.path + encoded_key(key)
