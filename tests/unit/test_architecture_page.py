"""docs/architecture.md names modules, classes, folders and layers that exist."""

from __future__ import annotations

import importlib
import inspect
import tomllib

import architecture_page as page

# A reader must be able to follow one file through the program. The number of stops is limited for that.
MOST_MODULES = 22
MOST_SHAPES = 9
PER_SERVICE = ("providers/", "localserver/")


def test_every_named_module_exists() -> None:
    assert len(page.named_modules()) > 40
    assert [name for name in sorted(page.named_modules()) if not (page.PACKAGE / name).is_file()] == []


def test_a_small_file_passes_at_most_22_modules() -> None:
    modules = page.modules_of_a_small_file()
    assert modules[0] == "pipeline/scan/walk.py"
    assert modules[-1] == "journal/writer.py"
    assert len(set(modules)) == len(modules) <= MOST_MODULES


def test_a_small_file_has_at_most_9_shapes_and_each_is_a_class() -> None:
    shapes = page.shapes_of_a_small_file()
    assert 0 < len(set(shapes)) == len(shapes) <= MOST_SHAPES
    for name, path in shapes:
        module = "bulkup." + path.removesuffix(".py").replace("/", ".")
        shape = getattr(importlib.import_module(module), name)
        assert inspect.isclass(shape)
        assert shape.__module__ == module


def test_the_tree_shows_every_folder() -> None:
    found = {str(init.parent.relative_to(page.PACKAGE)) for init in page.PACKAGE.glob("*/**/__init__.py")}
    services = {f"{start}{service}" for start in PER_SERVICE for service in _services()}
    # The store of the embedded server is no service of its own, and has the name of one.
    assert page.folders() == found - (services - {"localserver/s3"})


def test_layers_are_those_that_are_checked() -> None:
    with (page.ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    checked = {contract["containers"][0]: contract["layers"] for contract in contracts if contract["type"] == "layers"}
    for container, first in [("bulkup", "cli"), ("bulkup.pipeline", "flow")]:
        expected = [{name.strip() for name in layer.split("|")} for layer in checked[container]]
        assert page.layers("Layers", first) == expected


def _services() -> set[str]:
    return {folder.parent.name for folder in page.PACKAGE.glob("providers/*/__init__.py")}
