"""Reads the lists of docs/architecture.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bulkup"
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
_MODULE = r"`([a-z0-9_/]+\.py)`"
_NUMBERED = re.compile(rf"^\d+\. {_MODULE}", re.MULTILINE)
_SHAPE = re.compile(rf"^\d+\. `(\w+)` in {_MODULE}", re.MULTILINE)


def section(heading: str) -> str:
    """Return the text between a heading of the second level and the next one."""
    return TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def named_modules() -> set[str]:
    """Return every module that the page names, relative to the package."""
    return set(re.findall(_MODULE, TEXT))


def modules_of_a_small_file() -> list[str]:
    """Return the modules that a small file passes."""
    return _NUMBERED.findall(section("The way of a small file"))


def shapes_of_a_small_file() -> list[tuple[str, str]]:
    """Return the shapes of a small file: the class and its module."""
    return _SHAPE.findall(section("The way of a small file"))


def folders() -> set[str]:
    """Return the folders of the tree, relative to the package, without those of the services."""
    found, parent = set(), ""
    for indent, name in re.findall(r"^    ( {2,})([a-z0-9_]+)/ ", section("The folders"), re.MULTILINE):
        parent = name if len(indent) == 2 else parent
        found.add(name if len(indent) == 2 else f"{parent}/{name}")
    return found


def layers(heading: str, first: str) -> list[set[str]]:
    """Return the layers of the code block in a section that begins with the layer `first`, from the top."""
    block = re.search(rf"^    {first}\b.*?(?=\n\n)", section(heading), re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = [re.split(r" {2,}", line.strip())[0] for line in block[0].splitlines()]
    return [{name.strip(" /") for name in line.split("|")} for line in lines]
