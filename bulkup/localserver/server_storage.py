"""The objects, parts and records of one server, opened and closed together."""

from __future__ import annotations

import os

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.part_store import PartStore


@dataclass(frozen=True, slots=True)
class ServerStorage:
    """Objects, parts of objects, and the records of the services that are asked about a file later."""

    objects: ObjectStore
    parts: PartStore
    metastudio_files: RecordLog
    xvid_uploads: RecordLog
    move_files: RecordLog

    @classmethod
    def open(cls, objects: str, state: str, max_records: int) -> ServerStorage:
        """Open the storage in the two directories, or create it. Raises OSError."""
        return cls(
            objects=ObjectStore(objects, os.path.join(state, "incoming")),
            parts=PartStore(os.path.join(state, "parts")),
            metastudio_files=RecordLog(os.path.join(state, "metastudio.jsonl"), max_records),
            xvid_uploads=RecordLog(os.path.join(state, "xvid.jsonl"), max_records),
            move_files=RecordLog(os.path.join(state, "move.jsonl"), max_records),
        )

    def close(self) -> None:
        """Close the logs."""
        self.metastudio_files.close()
        self.xvid_uploads.close()
        self.move_files.close()
