"""Multipart uploads: each part is a file under `DIR/state/parts/`. They are joined when the upload is completed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Sequence

from bulkup.helpers.private_files import make_private_folder
from bulkup.localserver.s3.object_store import READ_SIZE, IncomingObject
from bulkup.localserver.s3.s3_documents import ListedUpload
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_KEY = "key"  # the name of the file with the key, beside the parts
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class PartStore:
    """The parts of unfinished uploads. All methods block, and raise OSError when the disk fails."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        make_private_folder(directory)

    def begin(self, upload_id: str, key: str | None = None) -> None:
        """Create the folder for the parts of an upload. `key` is that of the object, if a request names it later."""
        os.mkdir(self._folder(upload_id))
        if key is not None:
            with open(os.path.join(self._folder(upload_id), _KEY), "w", encoding="utf-8") as file:
                file.write(key)

    def check(self, upload_id: str, key: str) -> None:
        """Raise S3Error NoSuchUpload unless there is an upload of that id for the object `key`."""
        if not _UPLOAD_ID.fullmatch(upload_id) or self._key_of(upload_id) != key:
            raise _no_such_upload()

    def complete(self, upload_id: str, parts: Sequence[tuple[int, str]], incoming: IncomingObject) -> str:
        """Write the parts with these numbers and ETags into an object. Return its ETag. Raises S3Error InvalidPart."""
        digests = hashlib.md5(usedforsecurity=False)
        for number, etag in parts:
            md5 = hashlib.md5(usedforsecurity=False)
            try:
                with open(os.path.join(self._folder(upload_id), str(number)), "rb") as part:
                    while block := part.read(READ_SIZE):
                        md5.update(block)
                        incoming.write(block)
            except FileNotFoundError:
                raise _invalid_part() from None
            if md5.hexdigest() != etag:
                raise _invalid_part()
            digests.update(md5.digest())
        return f"{digests.hexdigest()}-{len(parts)}"

    def unfinished(self, bucket: str, prefix: str) -> list[ListedUpload]:
        """Return the uploads of a bucket that are not completed, by key and id."""
        found = []
        for upload_id in os.listdir(self._directory):
            key = self._key_of(upload_id)
            if key is not None and key.startswith(f"{bucket}/{prefix}"):
                begun = os.stat(self._folder(upload_id)).st_ctime
                found.append(ListedUpload(key.partition("/")[2], upload_id, begun))
        return sorted(found)

    def _key_of(self, upload_id: str) -> str | None:
        try:
            with open(os.path.join(self._folder(upload_id), _KEY), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def publish(self, incoming: IncomingObject, upload_id: str, number: str) -> None:
        """Store a part. Replaces an earlier one. Raises S3Error NoSuchUpload."""
        if not (_UPLOAD_ID.fullmatch(upload_id) and _NUMBER.fullmatch(number)):
            raise _no_such_upload()
        try:
            incoming.move_to(os.path.join(self._folder(upload_id), number))
        except FileNotFoundError:
            raise _no_such_upload() from None

    def sizes(self, upload_id: str, count: int) -> list[int]:
        """Return the sizes of parts 1 to `count` in bytes. Raises FileNotFoundError if one is missing."""
        return [os.stat(path).st_size for path in self._paths(upload_id, count)]

    def join(self, upload_id: str, count: int, incoming: IncomingObject) -> None:
        """Write the parts into an object, in order, one block at a time."""
        for path in self._paths(upload_id, count):
            with open(path, "rb") as part:
                while block := part.read(READ_SIZE):
                    incoming.write(block)

    def drop(self, upload_id: str) -> None:
        """Delete all parts of an upload."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder(upload_id))

    def _paths(self, upload_id: str, count: int) -> list[str]:
        return [os.path.join(self._folder(upload_id), str(number)) for number in range(1, count + 1)]

    def _folder(self, upload_id: str) -> str:
        return os.path.join(self._directory, upload_id)


def requested_part(request: ReceivedRequest) -> tuple[str, str] | None:
    """Return upload id and part number of a request for a part, None for other requests."""
    parameters = request.parameters
    if "uploadId" not in parameters or "partNumber" not in parameters:
        return None
    return parameters["uploadId"], parameters["partNumber"]


def _invalid_part() -> S3Error:
    return S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.")


def _no_such_upload() -> S3Error:
    return S3Error(404, "NoSuchUpload", "The specified upload does not exist. The upload ID might be invalid.")
