"""The descriptions of docs/providers/http-services.md, by the heading of their section."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "providers" / "http-services.md"
_SECTION = re.compile(r"^## (?P<title>.+?)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def profiles() -> dict[str, str]:
    """Return the text of the profile of each section."""
    sections = _SECTION.finditer(PAGE.read_text("utf-8"))
    return {found["title"]: block[1] for found in sections if (block := _BLOCK.search(found["text"])) is not None}


def profile(title: str) -> dict[str, Any]:
    """Return the settings of the profile of a section."""
    (settings,) = tomllib.loads(profiles()[title])["profiles"].values()
    return dict(settings)
