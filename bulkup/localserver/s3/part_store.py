"""Multipart uploads: each part is a file under `DIR/state/parts/`. They are joined when the upload is completed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil

from bulkup.helpers.private_files import make_private_folder
from bulkup.localserver.s3.object_store import READ_SIZE, IncomingObject
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.signing_types import ReceivedRequest

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class PartStore:
    """The parts of unfinished uploads. All methods block, and raise OSError when the disk fails."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        make_private_folder(directory)

    def begin(self, upload_id: str) -> None:
        """Create the folder for the parts of an upload."""
        os.mkdir(self._folder(upload_id))

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


def _no_such_upload() -> S3Error:
    return S3Error(404, "NoSuchUpload", "The specified upload does not exist. The upload ID might be invalid.")
