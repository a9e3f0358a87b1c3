"""Objects that come in parts: each part a file of its own under `DIR/state/parts/`, joined when all are there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil

from bulkup.helpers.private_files import make_private_folder
from bulkup.localserver.s3.object_store import READ_SIZE, IncomingObject
from bulkup.localserver.s3.s3_errors import S3Error
from bulkup.localserver.s3.signing_types import ReceivedRequest

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class PartStore:
    """The parts of uploads that have begun. All methods block, and raise OSError when the disk fails."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        make_private_folder(directory)

    def begin(self, upload_id: str) -> None:
        """Make room for the parts of an upload."""
        os.mkdir(self._of(upload_id))

    def publish(self, incoming: IncomingObject, upload_id: str, number: str) -> None:
        """Keep a part in place of what was there before. Raises S3Error NoSuchUpload for an upload that has ended."""
        if not (_UPLOAD_ID.fullmatch(upload_id) and _NUMBER.fullmatch(number)):
            raise _no_such_upload()
        try:
            incoming.move_to(os.path.join(self._of(upload_id), number))
        except FileNotFoundError:
            raise _no_such_upload() from None

    def sizes(self, upload_id: str, count: int) -> list[int]:
        """Return the sizes of parts 1 to `count` in bytes. Raises FileNotFoundError where one is missing."""
        return [os.stat(path).st_size for path in self._paths(upload_id, count)]

    def join(self, upload_id: str, count: int, incoming: IncomingObject) -> None:
        """Write the parts in order into a new object, a block at a time."""
        for path in self._paths(upload_id, count):
            with open(path, "rb") as part:
                while block := part.read(READ_SIZE):
                    incoming.write(block)

    def drop(self, upload_id: str) -> None:
        """Delete what there is of an upload."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._of(upload_id))

    def _paths(self, upload_id: str, count: int) -> list[str]:
        return [os.path.join(self._of(upload_id), str(number)) for number in range(1, count + 1)]

    def _of(self, upload_id: str) -> str:
        return os.path.join(self._directory, upload_id)


def requested_part(request: ReceivedRequest) -> tuple[str, str] | None:
    """Return upload id and part number where a signed request is for a part of an object."""
    parameters = request.parameters
    if "uploadId" not in parameters or "partNumber" not in parameters:
        return None
    return parameters["uploadId"], parameters["partNumber"]


def _no_such_upload() -> S3Error:
    return S3Error(404, "NoSuchUpload", "The specified upload does not exist. The upload ID might be invalid.")
