"""Compares shares of the rows with the disk in several processes: one process is busy with Python for each file.

The processes are forks, which start within milliseconds. They read the journal on connections of their own, and write
nothing but their results, to a pipe. The caller must have no other threads and no open journal.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NoReturn

import anyio

from bulkup.api.verify.upload_check import Emit, UploadCheck, VerifyOptions
from bulkup.errors import BulkupError, MachineError
from bulkup.journal import Reader
from bulkup.journal.upload_rows import Share, split_uploads
from bulkup.model.verify_results import VerifiedFile, VerifyCounts


def compare_with_disk(journal: str, options: VerifyOptions, emit: Emit, processes: int) -> VerifyCounts:
    """Compare all uploads with the disk, in up to `processes` processes. `emit` gets the files in order.

    Raises `BulkupError`.
    """
    with Reader(journal) as reader:
        shares = split_uploads(reader, processes, options.rows_per_process)
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(_forked(journal, options, share)) for share in shares[1:]]
        counts = _compare(journal, options, shares[0], emit)
        for results in others:
            counts.merge(_read(results, emit))
    with Reader(journal) as reader:
        counts.not_uploaded = UploadCheck(reader, options).not_uploaded()
    return counts


def _compare(journal: str, options: VerifyOptions, share: Share, emit: Emit) -> VerifyCounts:
    with Reader(journal) as reader:
        return anyio.run(UploadCheck(reader, options).compare, emit, share)


@contextlib.contextmanager
def _forked(journal: str, options: VerifyOptions, share: Share) -> Iterator[BinaryIO]:
    """Start a process that compares a share, and yield its results. It ends with the context at the latest."""
    readable, writable = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(readable)
        _work(writable, lambda emit: _compare(journal, options, share, emit))
    os.close(writable)
    try:
        with open(readable, "rb") as results:
            yield results
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _work(writable: int, compare: Callable[[Emit], VerifyCounts]) -> NoReturn:
    """Carry out the work of a fork, which then ends: nothing of the first process runs in it."""
    try:
        with open(writable, "wb") as results:

            def emit(files: Sequence[VerifiedFile]) -> None:
                if files:
                    pickle.dump(list(files), results)

            try:
                pickle.dump(compare(emit), results)
            except BulkupError as error:
                pickle.dump(error, results)
    except BaseException:  # noqa: BLE001  # the first process misses the figures, and reports it
        os._exit(1)
    os._exit(0)


def _read(results: BinaryIO, emit: Emit) -> VerifyCounts:
    """Pass on the results of a fork, and return its figures."""
    with contextlib.suppress(EOFError):
        while True:
            # Written by a fork of this very process, to a pipe that no other process has.
            found: VerifyCounts | BulkupError | list[VerifiedFile] = pickle.load(results)  # noqa: S301
            if isinstance(found, VerifyCounts):
                return found
            if isinstance(found, BulkupError):
                raise found
            emit(found)
    raise MachineError("a process that compares files ended early", hint="run the command again")
