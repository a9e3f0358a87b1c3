"""Records of MetaStudio's files, and the allowed changes of their states (docs/contracts.md section 3)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import replace

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.metastudio.api_errors import already_completed, duplicate_main, no_such_file
from bulkup.localserver.metastudio.parameters import FileRequest
from bulkup.localserver.record_log import RecordLog

DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class MetaStudioFile:
    """One file. `size` is in bytes. `parts` is 0 for an upload in one piece. `state` is empty until completion."""

    asset: str
    category: str
    extension: str
    size: int
    parts: int
    state: str = ""


class MetaStudioFileRegistry:
    """Creates files, keeps the newest of them, and lets each be completed once.

    Methods that change a file raise OSError when the disk fails.
    """

    def __init__(self, log: RecordLog) -> None:
        self._log = log
        self._mains: OrderedDict[str, str] = OrderedDict()
        for file_id, record in log.items():
            self._note_main(file_id, MetaStudioFile(**record))

    def create(self, wanted: FileRequest) -> str:
        """Create a file and return its id. A second MAIN file may be created, because a new URL needs a new file."""
        file_id = secrets.token_hex(16)
        file = MetaStudioFile(wanted.asset, wanted.category, wanted.extension, wanted.size, wanted.parts)
        self._store(file_id, file)
        return file_id

    def get(self, file_id: str) -> MetaStudioFile:
        """Return a file. Raises MetaStudioError 404 if it is unknown, dropped or deleted."""
        record = self._log.get(file_id)
        if record is None or record["state"] == DELETED:
            raise no_such_file()
        return MetaStudioFile(**record)

    def get_open(self, file_id: str, state: str) -> MetaStudioFile:
        """Return a file that can be completed with this state. Raises MetaStudioError 404 or 409."""
        file = self.get(file_id)
        if file.state:
            raise already_completed()
        if state == "CREATED" and file.category == "MAIN" and self._has_main(file.asset):
            raise duplicate_main()
        return file

    def end(self, file_id: str, file: MetaStudioFile, state: str) -> None:
        """Set the final state of a file."""
        self._store(file_id, replace(file, state=state))

    def _store(self, file_id: str, file: MetaStudioFile) -> None:
        self._log.put(file_id, file)
        self._note_main(file_id, file)

    def _note_main(self, file_id: str, file: MetaStudioFile) -> None:
        if _is_main(file):
            self._mains[file.asset] = file_id
        if len(self._mains) > self._log.max_records:
            self._mains.popitem(last=False)

    def _has_main(self, asset: str) -> bool:
        record = self._log.get(self._mains.get(asset, ""))
        return record is not None and _is_main(MetaStudioFile(**record))


def _is_main(file: MetaStudioFile) -> bool:
    return file.category == "MAIN" and file.state == "CREATED"
