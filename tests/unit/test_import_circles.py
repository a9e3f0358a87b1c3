"""No module and no folder imports itself over others. Imports for type checkers count."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

GRAPH = grimp.build_graph("bulkup", cache_dir=None)
PACKAGES = sorted(name for name in GRAPH.modules if GRAPH.find_children(name))


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Return a circle of imports, from a name back to the same name; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def imports_inside(package: str) -> dict[str, set[str]]:
    """Return which modules and folders of a package import which others of it."""
    inside = {child: {child} | GRAPH.find_descendants(child) for child in GRAPH.find_children(package)}
    owner = {module: child for child, modules in inside.items() for module in modules}
    imports: dict[str, set[str]] = {}
    for child, modules in inside.items():
        imported = set().union(*map(GRAPH.find_modules_directly_imported_by, modules))
        imports[child] = {owner[module] for module in imported & owner.keys()} - {child}
    return imports


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert circle({"a": {"b"}, "b": {"c"}}) == []


def test_modules_have_no_circle() -> None:
    assert circle({module: GRAPH.find_modules_directly_imported_by(module) for module in GRAPH.modules}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_parts_of_a_package_have_no_circle(package: str) -> None:
    assert circle(imports_inside(package)) == []
