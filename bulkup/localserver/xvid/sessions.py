"""Records of Xvid's upload sessions and their states (docs/contracts.md section 4)."""

from __future__ import annotations

import secrets
from dataclasses import replace

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.localserver.record_log import RecordLog
from bulkup.localserver.xvid.api_errors import invalid_input, upload_not_found
from bulkup.localserver.xvid.parameters import UploadRequest

COMPLETING_TIME = 0.2  # seconds from the finish call to COMPLETED


@dataclass(frozen=True, slots=True)
class UploadSession:
    """One upload. `finished_at` (Unix time) is None until it is finished."""

    pipeline: str
    object_key: str
    expires_at: int | None
    nb_chunks: int = 0
    finished_at: float | None = None

    def status(self, now: float) -> str:
        """Return the status at `now` (Unix time). The service does not document the name of the last one."""
        if self.finished_at is None:
            return "UPLOADING"
        return "COMPLETING" if now < self.finished_at + COMPLETING_TIME else "COMPLETED"


class UploadSessionRegistry:
    """Begins sessions, keeps the newest of them, and lets each be finished once.

    Methods that change a session raise OSError when the disk fails.
    """

    def __init__(self, log: RecordLog) -> None:
        self._log = log

    def begin(self, requested: UploadRequest, now: float) -> tuple[str, UploadSession]:
        """Return a new session and its id: 24 hex digits, of which the first 8 are the time."""
        session_id = f"{int(now):08x}{secrets.token_hex(8)}"
        session = UploadSession(requested.pipeline, requested.object_key, requested.expires_at)
        self._log.put(session_id, session)
        return session_id, session

    def get(self, session_id: str) -> UploadSession:
        """Return a session. Raises XvidError 404 if it is unknown or was dropped."""
        record = self._log.get(session_id)
        if record is None:
            raise upload_not_found()
        return UploadSession(**record)

    def get_unfinished(self, session_id: str) -> UploadSession:
        """Return a session that can be finished. Raises XvidError 404, or 400 if it is finished already."""
        session = self.get(session_id)
        if session.finished_at is not None:
            raise invalid_input("the upload has been finished already")
        return session

    def finish(self, session_id: str, session: UploadSession, chunks: int, now: float) -> UploadSession:
        """Finish a session and return it."""
        session = replace(session, nb_chunks=chunks, finished_at=now)
        self._log.put(session_id, session)
        return session
