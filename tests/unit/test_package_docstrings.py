"""The docstring of a package that lists its modules lists all of them, and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bulkup

ROOT = Path(bulkup.__file__).parent
PACKAGES = sorted(init.parent for init in ROOT.rglob("__init__.py"))
# The first column of a list: `scanner     finds files`, `places, sources   exclusive places`, `s3/    the store`.
ENTRY = re.compile(r"^ *((?:[a-z_0-9]+(?:\.py|/)?(?:, )?)+) {2,}\S", re.MULTILINE)
WITH_MANY_MODULES = {"cli", "config"}  # too many for a docstring; the first line of each module describes it


def docstring(package: Path) -> str:
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""


def listed(package: Path) -> set[str]:
    entries = ENTRY.findall(docstring(package))
    return {name.removesuffix(".py").rstrip("/") for entry in entries for name in entry.split(", ")}


def present(package: Path) -> set[str]:
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    return modules | {init.parent.name for init in package.glob("*/__init__.py")}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT)))
def test_a_docstring_lists_the_modules_of_its_package(package: Path) -> None:
    assert docstring(package)
    if not listed(package) or package.name in WITH_MANY_MODULES:
        return
    files = {path.stem for path in package.iterdir()}
    assert listed(package) - files == set()
    words = set(re.findall(r"\w+", docstring(package)))
    assert present(package) - words == set()


def test_packages_with_several_modules_list_them() -> None:
    without = {
        str(package.relative_to(ROOT)) for package in PACKAGES if len(present(package)) > 1 and not listed(package)
    }
    assert without - WITH_MANY_MODULES == {".", "transport/lean"}  # a page for users; a list with dashes
