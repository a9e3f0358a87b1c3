"""A name stands for one module, and for one public class."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import bulkup

ROOT = Path(bulkup.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.stem not in {"__init__", "__main__"})
# Services have the same parts, with the same names: `adapter`, `answers`, `auth`.
SERVICES = {init.parent.name for init in ROOT.glob("providers/*/__init__.py")}


def is_of_a_service(module: Path) -> bool:
    return module.parts[0] in {"providers", "localserver"} and module.parts[1] in SERVICES


def repeated(names: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """Return the names that occur in more than one module, with these modules."""
    places = defaultdict(list)
    for name, module in names:
        places[name].append(str(module))
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def public_classes() -> Iterator[tuple[str, Path]]:
    for module in MODULES:
        for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, module


def test_no_two_modules_share_a_name() -> None:
    """The folders of services may share names, but only with one another."""
    others = [(module.stem, module) for module in MODULES if not is_of_a_service(module)]
    in_services = {module.stem: module for module in MODULES if is_of_a_service(module)}
    assert repeated([*others, *in_services.items()]) == {}


def test_no_two_public_classes_share_a_name() -> None:
    assert repeated(public_classes()) == {}
