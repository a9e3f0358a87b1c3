"""The attempts under way, and the view of them that the progress shows."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Protocol

from bulkup.model.items import Item, PartUpload
from bulkup.model.progress import SendingFile
from bulkup.pipeline.options import LARGE


class SentBytes(Protocol):
    """Counts the bytes of an attempt."""

    @property
    def sent(self) -> int:
        """The bytes sent so far."""


# The gate of the file's host, the time at which the attempt began (monotonic seconds), and its bytes.
UnderWay = Mapping[Item, tuple[object, float, SentBytes]]


def sending_files(under_way: UnderWay, now: float, most: int) -> tuple[SendingFile, ...]:
    """Return up to `most` of the files that are being sent, the oldest attempt first.

    Files over 1 MiB come before others and the largest of them first, then those that have taken longest. The parts of
    one file count as one.
    """
    chosen = heapq.nlargest(most, _files(under_way, now), key=_weight)
    return tuple(sorted(chosen, key=lambda file: -file.seconds))


def _weight(file: SendingFile) -> tuple[int, float]:
    return (file.size if file.size > LARGE else 0, file.seconds)


def _files(under_way: UnderWay, now: float) -> Iterator[SendingFile]:
    parts: dict[PartUpload, tuple[float, int]] = {}
    for item, (_, begun, meter) in under_way.items():
        if item.part is None:
            yield _sending(item, now - begun, meter.sent)
        else:
            upload = item.part.upload
            oldest, sent = parts.get(upload, (begun, 0))
            parts[upload] = min(oldest, begun), sent + meter.sent
    for upload, (oldest, sent) in parts.items():
        plan = upload.ticket.parts
        stored = len(upload.sent) * plan.size if plan is not None else 0
        yield _sending(upload.item, now - oldest, stored + sent)


def _sending(item: Item, seconds: float, sent: int) -> SendingFile:
    file = item.file
    size = file.identity.size
    return SendingFile(file.source.shown, file.path, size, min(sent, size), seconds)
