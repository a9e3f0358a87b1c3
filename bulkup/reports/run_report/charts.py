"""The geometry of charts: scales, ticks and paths, for SVG that fills any width.

Places along the x axis are per mille of the width, heights are pixels from the top of the plot. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bulkup.reports.formatting import percent_text
from bulkup.reports.run_report.time_series import Bucket

HEIGHT = 120
WIDTH = 1000
_TIMES = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600),
    *(86_400 * days for days in (1, 2, 5, 10, 20, 50, 100)),
)
_TIME_TICKS = 4
_LABEL = 16  # pixels above a bar
_LABELLED = 0.005
_MOST_LABELS = 10
_LAST_LABEL = 930  # a label in the middle of a later place would be cut on paper
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (0, "s"))


class Tick(NamedTuple):
    """A mark of an axis: its place (of `WIDTH`, or pixels from the top), its label, and the anchor of the label."""

    place: float
    label: str
    anchor: str = "middle"


class Line(NamedTuple):
    """A series: `path` is its line, `area` the surface below it, `kind` the class of its colour, `name` its legend."""

    name: str
    kind: str
    path: str
    area: str = ""


class Chart(NamedTuple):
    """A chart over time. `note` is the sentence beside its title, `about` describes it to those who cannot see it."""

    title: str
    unit: str
    note: str
    about: str
    lines: Sequence[Line]
    across: Sequence[Tick]
    up: Sequence[Tick]


class Bar(NamedTuple):
    """A bar of a histogram: per mille of the width, and pixels. `label` is its share, empty where there is no room."""

    x: float
    width: float
    y: float
    height: float
    about: str
    label: str


class BarChart(NamedTuple):
    """A histogram of durations, with the figures that people ask for."""

    title: str
    note: str
    about: str
    bars: Sequence[Bar]
    across: Sequence[Tick]
    figures: Sequence[tuple[str, str]]


def nice_top(largest: float) -> float:
    """Return the end of a scale: a round number that is not below `largest`."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= largest * 0.999)


def value_ticks(top: float) -> list[Tick]:
    """Return the marks of the y axis: zero, the half and the top."""
    return [Tick(_y(value, top), number_text(value)) for value in (0.0, top / 2, top)]


def number_text(value: float) -> str:
    """Return a number for an axis or a cell: as few digits as tell it apart."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def time_ticks(seconds: float) -> list[Tick]:
    """Return the marks of an axis from 0 to `seconds`, at round times."""
    step = next((step for step in _TIMES if seconds / step <= _TIME_TICKS), _TIMES[-1])
    unit, name = next((size, name) for size, name in _UNITS if step >= size)
    ticks = [Tick(0.0, "0", "start")]
    for number in range(1, int(seconds / step + 1e-9) + 1):
        place = WIDTH * number * step / seconds
        ticks.append(
            Tick(round(place, 1), f"{number * step / (unit or 1):g} {name}", "end" if place > _LAST_LABEL else "middle")
        )
    return ticks


def line_of(
    name: str,
    kind: str,
    times: Sequence[float],
    values: Sequence[float],
    top: float,
    *,
    steps: bool = False,
    area: bool,
) -> Line:
    """Return a series over `times`; the last one is the end of the axis. With `steps`, a value holds up to its time."""
    end = times[-1]
    at, moves = [0.0, *times], []
    for number, value in enumerate(values):
        x0, x1, y = WIDTH * at[number] / end, WIDTH * at[number + 1] / end, _y(value, top)
        if steps:
            moves += [f"{x0:.1f} {y:.1f}", f"{x1:.1f} {y:.1f}"]
        else:
            middle = (x0 + x1) / 2
            first, last = number == 0, number == len(values) - 1
            moves += [f"0 {y:.1f}"] * first + [f"{middle:.1f} {y:.1f}"] + [f"{WIDTH} {y:.1f}"] * last
    path = "M" + "L".join(moves)
    return Line(name, kind, path, f"{path}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z" if area else "")


def bars_of(found: Sequence[Bucket], total: int) -> list[Bar]:
    """Return a bar for each bucket; one that is not empty is at least a pixel high."""
    width = WIDTH / len(found)
    gap = width * 0.06
    bars = []
    for number, bucket in enumerate(found):
        height = max(1.5, bucket.share * (HEIGHT - _LABEL)) if bucket.number else 0.0
        share = bucket.number / total
        about = f"{span_text(bucket)}: {bucket.number:,} ({percent_text(share)})"
        label = percent_text(share) if share >= _LABELLED and len(found) <= _MOST_LABELS else ""
        x, top = round(number * width + gap, 1), round(HEIGHT - height, 1)
        bars.append(Bar(x, round(width - 2 * gap, 1), top, round(height, 1), about, label))
    return bars


def bound_ticks(found: Sequence[Bucket]) -> list[Tick]:
    """Return the marks between the buckets, so many that their labels have room."""
    width, bounds = WIDTH / len(found), [bucket.high for bucket in found]
    every = -(-len(found) // 6)
    return [
        Tick(round((number + 1) * width, 1), bound_text(bound), "end" if number == len(found) - 1 else "middle")
        for number, bound in enumerate(bounds)
        if bound is not None and (len(found) - 1 - number) % every == 0
    ]


def bound_text(seconds: float) -> str:
    """Return a bound of a histogram: `5 ms`, `2 s`, `15 min`."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    unit, name = next((size, name) for size, name in _UNITS if seconds >= size)
    return f"{seconds / (unit or 1):g} {name}"


def span_text(bucket: Bucket) -> str:
    """Return the durations of a bucket in words."""
    if bucket.high is None:
        return f"over {bound_text(bucket.low)}"
    return (
        f"up to {bound_text(bucket.high)}"
        if not bucket.low
        else f"{bound_text(bucket.low)} to {bound_text(bucket.high)}"
    )


def _y(value: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * min(1.0, value / top), 1)
