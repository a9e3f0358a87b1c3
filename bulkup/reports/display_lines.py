"""The lines of the live view, laid out for a terminal's width and height. Pure.

    ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━─────────────────────────────────────────  42 %  25 s left
    21,400 of 50,991 files              1,204 files/s (mean 1,180)
    208.9 MiB of 497.0 MiB              11.8 MiB/s (mean 11.5 MiB/s)
    18 s elapsed                        3 failed, 12 retries
    sending 32 files
      day 1/b/interview.mov                                     45 %  450.0 MiB of 1.0 GiB

A narrow terminal has each figure on a line of its own, a wide one has more of them in a line. No line is longer than
the terminal is wide, so that the view can be erased again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from bulkup.model.progress import Progress, SendingFile
from bulkup.reports.formatting import count_text, duration_text, size_text
from bulkup.reports.progress_text import (
    bytes_speed_text,
    bytes_text,
    eta_text,
    files_speed_text,
    files_text,
    listed,
    problems_text,
    share_text,
)
from bulkup.reports.safe_text import printable, printable_path

_MEDIUM, _WIDE = 76, 140  # columns
_LONGEST_BAR = 100
_FILE_BAR = 20
_LONGEST_FILE = 140  # columns: figures far from their name are hard to read
_LARGE = 1024**2  # bytes; the sizes of smaller files say little about their progress
_SLOW = 2.0  # seconds; a small file is named after that
_MARGIN = "  "
_WORKERS = 12  # that are named


def progress_lines(progress: Progress, width: int, height: int, *, verbose: bool = False) -> list[Text]:
    """Return the lines: the bar and figures, the files being sent, and with `verbose` the files at each stage.

    With `verbose`, a run on a cluster also has a line for each of some workers.

    There are at most `height` of them, and each is shorter than `width`.
    """
    room = max(1, width - 1)  # some terminals begin a new line after the last column
    lines = [_bar_line(progress, room), *_figures(progress, width)]
    stages = [*_workers(progress), *_stages(progress, room)] if verbose else []
    files = list(_files(progress, width, room, height - len(lines) - len(stages) - 1))
    lines += [*files, *stages]
    for line in lines:
        line.truncate(room, overflow="ellipsis")
    return lines[: max(1, height)]


def _bar_line(progress: Progress, room: int) -> Text:
    words = Text("".join(_MARGIN + part for part in (share_text(progress), eta_text(progress)) if part))
    length = min(_LONGEST_BAR, room - words.cell_len)
    if length < 5:
        return Text(str(words).strip())
    return bar(progress.percent or 0, length).append_text(words)


def bar(percent: float, length: int) -> Text:
    """Return a bar. Its two parts differ without colours, too."""
    done = int(length * percent / 100)
    return Text.assemble(("━" * done, "green"), ("─" * (length - done), "dim"))


def _figures(progress: Progress, width: int) -> Iterator[Text]:
    """Yield the figures, some in each line."""
    cells = [
        Text(files_text(progress)),
        Text(files_speed_text(progress)),
        Text(bytes_text(progress)),
        Text(bytes_speed_text(progress)),
        Text(f"{duration_text(progress.elapsed)} elapsed"),
        Text(problems_text(progress), style="yellow"),
    ]
    if not cells[-1]:
        cells.pop()
    each = 1 if width < _MEDIUM else 2 if width < _WIDE else 4
    for start in range(0, len(cells), each):
        yield _row(cells[start : start + each], width // each)


def _row(cells: Sequence[Text], column: int) -> Text:
    """Return figures in one line, in columns where they are short enough."""
    row = Text()
    for number, cell in enumerate(cells):
        if number:
            row.append(" " * max(len(_MARGIN), number * column - row.cell_len))
        row.append_text(cell)
    return row


def _files(progress: Progress, width: int, room: int, most: int) -> Iterator[Text]:
    """Yield a heading and at most `most` of the files being sent: large ones, and small ones that take long."""
    number = progress.depths.get("sending", 0)
    if not number or most < 0:
        return
    yield Text(f"sending {count_text(number, 'file')}", style="dim")
    shown = [file for file in progress.sending if file.size > _LARGE or file.seconds >= _SLOW]
    for file in shown[:most]:
        yield _file_line(file, width, room)


def _file_line(file: SendingFile, width: int, room: int) -> Text:
    figures = _file_figures(file, width)
    left = min(room, _LONGEST_FILE) - len(_MARGIN) - figures.cell_len
    path = shortened(printable_path(file.path), max(1, left - len(_MARGIN)))
    padding = " " * max(0, left - cell_len(path))
    return Text.assemble(_MARGIN, path, padding).append_text(figures)


def _file_figures(file: SendingFile, width: int) -> Text:
    if file.size <= _LARGE:
        return Text(f"{duration_text(file.seconds)} {size_text(file.size):>10}")
    percent = 100 * file.sent // file.size
    share = Text(f"{percent:>3} %")
    if width < _MEDIUM:
        return share
    sizes = f"{size_text(file.sent):>10} of {size_text(file.size):>10}"
    text = Text.assemble(share, _MARGIN, sizes)
    return text if width < _WIDE else bar(percent, _FILE_BAR).append_text(text)


def shortened(path: str, room: int) -> str:
    """Return the end of a path that fits into `room` columns: the name says more than the folders."""
    if cell_len(path) <= room:
        return path
    length = 1  # of the mark for the missing part
    for index in range(len(path) - 1, -1, -1):
        length += cell_len(path[index])
        if length > room:
            return "…" + path[index + 1 :]
    return path


def _workers(progress: Progress) -> Iterator[Text]:
    """Yield a line for each worker of a cluster, the working ones first."""
    for worker in progress.workers[:_WORKERS]:
        speed = f"{worker.files_per_second:,.1f} files/s  {size_text(round(worker.bytes_per_second))}/s"
        state = f"{worker.in_flight:,} in flight" if worker.working else "ended"
        text = f"{_MARGIN}{printable(worker.name)}  {count_text(worker.files, 'file')}  {speed}  {state}"
        yield Text(text, style="dim")
    if len(progress.workers) > _WORKERS:
        yield Text(f"{_MARGIN}and {count_text(len(progress.workers) - _WORKERS, 'worker')} more", style="dim")


def _stages(progress: Progress, room: int) -> Iterator[Text]:
    """Yield the files at each stage, in as many lines as they take."""
    line = ""
    for part in listed({**progress.depths, "concurrency": progress.concurrency}).split(", "):
        if line and len(line) + 2 + len(part) > room:
            yield Text(line, style="dim")
            line = ""
        line = f"{line}, {part}" if line else part
    if line:
        yield Text(line, style="dim")
