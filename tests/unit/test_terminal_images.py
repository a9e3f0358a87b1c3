"""The pictures of terminals show the text and the colours of the screen, and load nothing from other hosts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_blocks import PAGES, ROOT
from tools.terminal_images import SHOWN, StyledScreen, svg_of


def test_the_screen_keeps_colours_and_hides_the_folder() -> None:
    screen = StyledScreen(40)
    screen.write(f"\x1b[31mred\x1b[0m in {'x' * len(SHOWN)}\r\n")
    shown = screen.ansi("x" * len(SHOWN))
    assert "\x1b[31mr\x1b[0m\x1b[31me\x1b[0m" in shown
    assert re.sub("\x1b\\[[0-9]*m", "", shown) == f"red in {SHOWN}"


def test_the_picture_has_the_text_and_no_fonts_of_others() -> None:
    svg = svg_of("\x1b[31m3 files failed\x1b[0m", "bulkup failures")
    assert "3&#160;files&#160;failed" in svg
    assert "bulkup&#160;failures" in svg
    assert "url(http" not in svg
    assert "@font-face" not in svg


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_pictures_of_a_page_exist_and_have_a_description(page: Path) -> None:
    text = page.read_text("utf-8")
    for description, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text):
        assert description
        assert (page.parent / target).is_file(), target
