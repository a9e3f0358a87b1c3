"""The lines of the live view, for terminals of any size."""

from __future__ import annotations

import dataclasses

import pytest
from made_progress import COUNTING, HALF, MIB, progress
from rich.cells import cell_len

from bulkup.model.progress import Progress, SendingFile
from bulkup.reports.display_lines import bar, progress_lines, shortened

DONE = progress(percent=100, eta=0.0, total_known=True, files_done=1, files_total=1, elapsed=3.0)
HUGE = dataclasses.replace(
    HALF, files_done=123_456_789, files_total=987_654_321, bytes_done=2**59, bytes_total=2**60, total_known=False
)
STATES = {"start": progress(), "counting": COUNTING, "half": HALF, "huge": HUGE, "done": DONE}


def shown(state: Progress, width: int, height: int = 40, *, verbose: bool = False) -> list[str]:
    return [line.plain for line in progress_lines(state, width, height, verbose=verbose)]


@pytest.mark.parametrize("width", [1, 2, 5, 20, 21, 40, 75, 76, 79, 80, 120, 139, 140, 200, 500])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verbose", [False, True])
def test_every_state_fits_every_width(state: str, width: int, verbose: bool) -> None:
    lines = shown(STATES[state], width, verbose=verbose)
    assert lines
    assert all(cell_len(line) <= max(1, width - 1) for line in lines)
    assert not any(set(line) & {"\n", "\x1b"} for line in lines)


@pytest.mark.parametrize("state", ["counting", "half", "done"])
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_figure_is_cut_off_at_usual_widths(state: str, width: int) -> None:
    assert "…" not in "".join(line for line in shown(STATES[state], width) if not line.startswith(" "))


@pytest.mark.parametrize("height", range(1, 12))
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_state_fits_every_height(width: int, height: int) -> None:
    """The files are left out first, and the bar is there always."""
    lines = shown(HALF, width, height, verbose=True)
    assert len(lines) <= height
    assert "42 %" in lines[0]


def test_eighty_columns() -> None:
    assert shown(HALF, 80) == [
        "━" * 26 + "─" * 36 + "  42 %  25 s left",
        "21,400 of 50,991 files".ljust(40) + "1,204 files/s (mean 1,180)",
        "208.9 MiB of 497.0 MiB".ljust(40) + "11.8 MiB/s (mean 11.5 MiB/s)",
        "18 s elapsed".ljust(40) + "3 failed, 12 retries",
        "sending 32 files",
        "  day 1/interviews/take 7/camera A.mov".ljust(48) + " 43 %   450.0 MiB of    1.0 GiB",
        r"  day 2/nötes\x1b[2J.txt".ljust(63) + "5.0 s    3.9 KiB",
    ]


def test_forty_columns_have_one_figure_in_a_line() -> None:
    assert shown(HALF, 40) == [
        "━" * 9 + "─" * 13 + "  42 %  25 s left",
        "21,400 of 50,991 files",
        "1,204 files/s (mean 1,180)",
        "208.9 MiB of 497.0 MiB",
        "11.8 MiB/s (mean 11.5 MiB/s)",
        "18 s elapsed",
        "3 failed, 12 retries",
        "sending 32 files",
        "  …nterviews/take 7/camera A.mov   43 %",
        r"  …2/nötes\x1b[2J.txt  5.0 s    3.9 KiB",
    ]


def test_two_hundred_columns_have_four_figures_in_a_line_and_bars_of_files() -> None:
    lines = shown(HALF, 200)
    assert lines[0] == "━" * 42 + "─" * 58 + "  42 %  25 s left"
    figures = ("21,400 of 50,991 files", "1,204 files/s (mean 1,180)", "208.9 MiB of 497.0 MiB")
    assert lines[1] == "".join(figure.ljust(50) for figure in figures) + "11.8 MiB/s (mean 11.5 MiB/s)"
    assert "━" * 8 + "─" * 12 + " 43 %" in lines[4]


def test_a_total_that_is_not_known_has_no_percentage() -> None:
    lines = shown(COUNTING, 80)
    assert lines[0].endswith("─  counting  time left unknown")
    assert "━" not in lines[0]
    assert lines[1].startswith("1,010 of at least 12,345 files")


def test_stages_are_shown_only_on_request() -> None:
    assert "requesting" not in "".join(shown(HALF, 80))
    assert shown(HALF, 80, verbose=True)[-1] == "200 requesting, 118 ready, 32 sending, 64 concurrency"
    assert shown(HALF, 30, verbose=True)[-2:] == ["200 requesting, 118 ready", "32 sending, 64 concurrency"]


def test_small_files_are_named_only_if_they_take_long() -> None:
    assert not any("quick.txt" in line for line in shown(HALF, 200))
    slow = SendingFile("/data", b"slow.txt", 1, 0, 2.0)
    assert any("slow.txt" in line for line in shown(dataclasses.replace(HALF, sending=(slow,)), 80))


def test_an_empty_file_and_one_that_grew_have_a_share() -> None:
    files = (SendingFile("/d", b"e", 0, 0, 9.0), SendingFile("/d", b"g", 2 * MIB, 2 * MIB, 9.0))
    assert "100 %" in shown(dataclasses.replace(HALF, sending=files), 80)[-1]


@pytest.mark.parametrize(("percent", "done"), [(0, 0), (50, 5), (99, 9), (100, 10)])
def test_a_bar(percent: float, done: int) -> None:
    assert bar(percent, 10).plain == "━" * done + "─" * (10 - done)


@pytest.mark.parametrize(
    ("path", "room", "text"),
    [
        ("a/b.txt", 7, "a/b.txt"),
        ("a/b.txt", 6, "…b.txt"),
        ("日本/動画", 5, "…動画"),
        ("ab", 1, "…"),
        ("日本", 2, "…"),
    ],
)
def test_the_end_of_a_path_is_shown(path: str, room: int, text: str) -> None:
    assert shortened(path, room) == text
