"""All that one server keeps on disk beside its counters and keys, opened and closed together."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.s3.object_store import ObjectStore
from bulkup.localserver.s3.part_store import PartStore


@dataclass(frozen=True, slots=True)
class ServerStorage:
    """Objects, parts of objects, and the records of the services that have closing calls."""

    objects: ObjectStore
    parts: PartStore
    meta_files: RecordLog
    xvid_uploads: RecordLog

    @classmethod
    def open(cls, objects: str, state: str) -> ServerStorage:
        """Open what there is below the two directories, or make it. Raises OSError."""
        return cls(
            objects=ObjectStore(objects, os.path.join(state, "incoming")),
            parts=PartStore(os.path.join(state, "parts")),
            meta_files=RecordLog(os.path.join(state, "metastudio.jsonl")),
            xvid_uploads=RecordLog(os.path.join(state, "xvid.jsonl")),
        )

    def close(self) -> None:
        """Let go of the logs."""
        self.meta_files.close()
        self.xvid_uploads.close()
