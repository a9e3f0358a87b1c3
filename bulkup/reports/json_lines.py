"""`--json`: one JSON object per line on standard output."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from bulkup.helpers.utf8_mode import path_bytes
from bulkup.model.items import Result
from bulkup.reports.json_text import dumps, path_fields


class JsonLines:
    """Writes events to a binary stream and flushes each one, so that a reader sees it at once.

    If the stream fails (its reader has ended, the disk is full), the run continues and nothing more is written. `error`
    is then the exception; a `BrokenPipeError` is normal. Writing blocks while the pipe is full. Writing threads wait
    for each other: a short line that fits into the pipe must not overtake a long one.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._turn = threading.Lock()
        self.error: OSError | None = None

    @property
    def broken(self) -> bool:
        """Whether the stream has failed."""
        return self.error is not None

    def event(self, event: Mapping[str, Any]) -> None:
        """Write one object, with secrets masked and surrogates replaced by U+FFFD."""
        self._write(dumps(event) + b"\n")

    def result(self, result: Result) -> None:
        """Write one settled file as `{"event":"file",...}`."""
        self.results([result])

    def results(self, results: Iterable[Result]) -> None:
        """Write settled files in one go, a line for each."""
        self._write(b"".join(dumps(result_object(result)) + b"\n" for result in results))

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Write the summary object; the caller writes nothing after it."""
        self.event(summary)

    def _write(self, data: bytes) -> None:
        with self._turn:
            if self.broken:
                return
            try:
                self._write_all(memoryview(data))
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _write_all(self, data: memoryview) -> None:
        # With PYTHONUNBUFFERED the stream is unbuffered, and a signal can interrupt a write.
        while data:
            data = data[self._stream.write(data) :]

    def _give_up(self, error: OSError) -> None:
        self.error = error
        # At exit the interpreter flushes the stream's buffer. That would fail again and change the exit code to 120,
        # so the descriptor is redirected to the null device.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)


def result_object(result: Result) -> dict[str, Any]:
    """Return a settled file as `--json` prints it; `path_b64` and `source_b64` only for bytes that are not UTF-8."""
    path = path_fields("path", result.path)
    source = path_fields("source", path_bytes(result.source))
    return {
        "event": "file",
        "path": path.pop("path"),
        "source": source.pop("source"),
        "status": result.status.value,
        "size": result.size,
        "md5": result.md5,
        "checksum": result.checksum,
        "remote_id": result.remote_id,
        "attempts": result.attempts,
        "error": result.error,
        "unchanged": result.unchanged,
        "already_there": result.already_there,
        **path,
        **source,
    }
