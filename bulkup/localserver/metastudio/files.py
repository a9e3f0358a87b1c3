"""The files of MetaStudio: which there are, and what may still become of each (docs/contracts.md section 3)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace

from bulkup.localserver import record_log
from bulkup.localserver.metastudio.errors import already_completed, duplicate_main, no_such_file
from bulkup.localserver.metastudio.parameters import FileRequest
from bulkup.localserver.record_log import RecordLog

DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class MetaStudioFile:
    """One file; `size` in bytes. `parts` is 0 where it comes as a whole; `state` is empty until it is completed."""

    asset: str
    category: str
    extension: str
    size: int
    parts: int
    state: str = ""


class MetaStudioFileRegistry:
    """Creates files, finds the newest of them again, and lets each end once.

    Methods that change something raise OSError when the disk fails.
    """

    def __init__(self, log: RecordLog) -> None:
        self._log = log
        self._mains: OrderedDict[str, str] = OrderedDict()
        for file_id, record in log.items():
            self._note_main(file_id, MetaStudioFile(**record))

    def create(self, wanted: FileRequest) -> str:
        """Return the id of a new file. A MAIN may be created again: a new URL is a new file."""
        file_id = secrets.token_hex(16)
        file = MetaStudioFile(wanted.asset, wanted.category, wanted.extension, wanted.size, wanted.parts)
        self._keep(file_id, file)
        return file_id

    def get(self, file_id: str) -> MetaStudioFile:
        """Return a file. Raises MetaError 404 for one that is not known, or too long ago, or deleted."""
        record = self._log.get(file_id)
        if record is None or record["state"] == DELETED:
            raise no_such_file()
        return MetaStudioFile(**record)

    def open_file(self, file_id: str, state: str) -> MetaStudioFile:
        """Return a file that may be completed with that state. Raises MetaError 404 or 409."""
        file = self.get(file_id)
        if file.state:
            raise already_completed()
        if state == "CREATED" and file.category == "MAIN" and self._has_main(file.asset):
            raise duplicate_main()
        return file

    def end(self, file_id: str, file: MetaStudioFile, state: str) -> None:
        """Give the file its last state."""
        self._keep(file_id, replace(file, state=state))

    def _keep(self, file_id: str, file: MetaStudioFile) -> None:
        self._log.put(file_id, file)
        self._note_main(file_id, file)

    def _note_main(self, file_id: str, file: MetaStudioFile) -> None:
        if _is_main(file):
            self._mains[file.asset] = file_id
        if len(self._mains) > record_log.REMEMBERED:
            self._mains.popitem(last=False)

    def _has_main(self, asset: str) -> bool:
        record = self._log.get(self._mains.get(asset, ""))
        return record is not None and _is_main(MetaStudioFile(**record))


def _is_main(file: MetaStudioFile) -> bool:
    return file.category == "MAIN" and file.state == "CREATED"
