"""A bar chart of the results as SVG, for light and dark backgrounds: a block per scenario, a bar per client."""

from __future__ import annotations

from xml.sax.saxutils import escape

from benchmarks.figures import Figures, Measured, Results

_WIDTH, _LEFT, _RIGHT = 820, 290, 110
_BAR, _GAP, _TITLE, _BETWEEN = 16, 6, 30, 18
_MIB = 1024**2
_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.peer { fill: #8c959f } .own { fill: #0969da } .floor { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .peer { fill: #6e7681 } .own { fill: #4493f8 } .floor { fill: #3d444d }
}"""


def chart(results: Results) -> str:
    """Return an SVG document."""
    parts: list[str] = []
    top = 0
    for measured in results.scenarios:
        ran = sorted((one for one in measured.clients if one.seconds), key=lambda one: one.seconds)
        if ran:
            parts += _block(measured, ran, top)
            top += _TITLE + len(ran) * (_BAR + _GAP) + _BETWEEN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}"'
    return "\n".join([f'{head} role="img">', f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _block(measured: Measured, ran: list[Figures], top: int) -> list[str]:
    lines = [f'<text class="title" x="0" y="{top + 18}">{escape(measured.title)}</text>']
    for number, one in enumerate(ran):
        lines += _bar(measured, one, ran[0].seconds / one.seconds, top + _TITLE + number * (_BAR + _GAP))
    return lines


def _bar(measured: Measured, one: Figures, share: float, y: int) -> list[str]:
    length = max(1, round((_WIDTH - _LEFT - _RIGHT) * share))
    label = escape(one.label.replace("`", ""))
    return [
        f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{label}</text>',
        f'<rect class="{_kind(one)}" x="{_LEFT}" y="{y}" width="{length}" height="{_BAR}" rx="2"/>',
        f'<text x="{_LEFT + length + 6}" y="{y + 13}">{_speed(measured, one)}</text>',
    ]


def _kind(one: Figures) -> str:
    if one.client.startswith("bulkup"):
        return "own"
    return "peer" if one.peer else "floor"


def _speed(measured: Measured, one: Figures) -> str:
    if measured.bytes / measured.files < _MIB / 8:
        return f"{measured.files / one.seconds:,.0f} files/s"
    return f"{measured.bytes / _MIB / one.seconds:,.0f} MiB/s"
