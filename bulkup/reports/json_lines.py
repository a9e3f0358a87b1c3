"""`--json`: one JSON object a line on standard output."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from bulkup.model.items import Result
from bulkup.reports.json_text import dumps, path_fields


class JsonLines:
    """Writes events to a binary stream, each flushed, so that a reader sees it when it happens.

    A stream that fails (the reader went away, the disk is full) never ends the run: from then on nothing is
    written. `error` then holds what happened; only a `BrokenPipeError` is no reason to complain. Writing
    blocks as long as the reader lets the pipe fill up, and threads that write wait for one another: a line
    that is short enough for what is left of the pipe must not pass one that is not.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._turn = threading.Lock()
        self.error: OSError | None = None

    @property
    def broken(self) -> bool:
        """Whether the stream failed and nothing more is written."""
        return self.error is not None

    def event(self, event: Mapping[str, Any]) -> None:
        """Write one object. Secrets in it are masked, and what is no Unicode is replaced by U+FFFD."""
        self._write(dumps(event) + b"\n")

    def result(self, result: Result) -> None:
        """Write one settled file as `{"event":"file",...}`."""
        self.results([result])

    def results(self, results: Iterable[Result]) -> None:
        """Write settled files, a line each, all at once."""
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
        # Under PYTHONUNBUFFERED the stream is the bare descriptor, which a signal can cut short.
        while data:
            data = data[self._stream.write(data) :]

    def _give_up(self, error: OSError) -> None:
        self.error = error
        # What is left in the stream's buffer would fail once more when the interpreter flushes it at exit,
        # and change the exit status to 120. So the descriptor leads nowhere from now on.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)


def result_object(result: Result) -> dict[str, Any]:
    """Return a settled file as `--json` prints it; `path_b64`, `source_b64` only for what is not UTF-8."""
    path = path_fields("path", result.path)
    source = path_fields("source", os.fsencode(result.source))
    return {
        "event": "file",
        "path": path.pop("path"),
        "source": source.pop("source"),
        "status": result.status.value,
        "size": result.size,
        "md5": result.md5,
        "remote_id": result.remote_id,
        "attempts": result.attempts,
        "error": result.error,
        "unchanged": result.unchanged,
        **path,
        **source,
    }
