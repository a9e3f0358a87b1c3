"""The lines that a watch shows at a terminal between two runs. Pure.

    watching since 14:02, 1,204 files uploaded, last 2 min ago,
    next look at all files 02:00

A narrow terminal has more lines, and nothing is left out. A time that is a day or more away has its date.
"""

from __future__ import annotations

import datetime as dt

from bulkup.helpers.quick_dataclass import dataclass
from bulkup.reports.formatting import count_text, duration_text


@dataclass(frozen=True, slots=True)
class WatchState:
    """A watch between two runs. Times are local ones with their zone.

    `last` is when a run with uploaded files has ended, None before the first one. At `next_look` all files are looked
    at. `is_paused` says that no file is sent until `bulkup control resume`.
    """

    since: dt.datetime
    uploaded: int
    last: dt.datetime | None
    next_look: dt.datetime
    is_paused: bool = False


def watch_lines(state: WatchState, now: dt.datetime, width: int) -> list[str]:
    """Return the lines for a terminal of so many columns. Each is shorter, unless a single figure is longer."""
    figures = [
        f"watching since {_clock_text(state.since, now)}",
        *(["paused"] if state.is_paused else []),
        f"{count_text(state.uploaded, 'file')} uploaded",
        *([] if state.last is None else [f"last {_age_text((now - state.last).total_seconds())} ago"]),
        f"next look at all files {_clock_text(state.next_look, now)}",
    ]
    lines = [""]
    for number, figure in enumerate(figures):
        text = figure if number == len(figures) - 1 else f"{figure},"
        joined = f"{lines[-1]} {text}" if lines[-1] else text
        if lines[-1] and len(joined) >= width:
            lines.append(text)
        else:
            lines[-1] = joined
    return lines


def _clock_text(moment: dt.datetime, now: dt.datetime) -> str:
    """Return a time of the clock; one that is a day or more away has its date."""
    near = abs(moment - now) < dt.timedelta(days=1)
    return f"{moment:%H:%M}" if near else f"{moment:%Y-%m-%d %H:%M}"


def _age_text(seconds: float) -> str:
    """Return a time span in one unit up to an hour, so that the line seldom changes."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else duration_text(whole)
