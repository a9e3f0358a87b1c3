"""The OBS upload URLs of a MetaStudio file (docs/contracts.md section 3, PUT rule)."""

from __future__ import annotations

from typing import Final

from bulkup.localserver.metastudio.parameters import FileRequest
from bulkup.localserver.s3 import sigv2
from bulkup.localserver.signing_types import ServerOrigin, SigningKey

BUCKET = "metastudio-assets"
URL_TTL = 24 * 3600  # seconds

# The Content-Type that a PUT of each file type must send. Known from the service's SDK.
CONTENT_TYPES: Final = {
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}
OTHER_CONTENT_TYPE = "application/octet-stream"


def file_object_key(file_id: str, asset: str, extension: str) -> str:
    """Return the key of the object, with the bucket."""
    return f"{BUCKET}/{asset}/{file_id}.{extension}"


def file_url(origin: ServerOrigin, key: str, requested: FileRequest, signing: SigningKey, expires: float) -> str:
    """Return the URL for the whole file. Its MD5 and Content-Type are signed."""
    content_type = CONTENT_TYPES.get(requested.extension.lower(), OTHER_CONTENT_TYPE)
    return sigv2.presign_obs(origin, key, signing, expires, md5=requested.md5, content_type=content_type)


def part_urls(
    origin: ServerOrigin, key: str, file_id: str, count: int, signing: SigningKey, expires: float
) -> list[str]:
    """Return a URL for each part. They are signed without MD5 and Content-Type, so neither may be sent."""
    return [
        sigv2.presign_obs(origin, key, signing, expires, part={"partNumber": str(number), "uploadId": file_id})
        for number in range(1, count + 1)
    ]
