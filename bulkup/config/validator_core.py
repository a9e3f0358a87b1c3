"""pydantic's compiled core without the rest of its package.

The package `pydantic_core` also defines the types of schemas, for type checkers. They are a tenth of the CPU time of a
start, and a program that builds its schemas from plain dictionaries never uses them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["SchemaValidator", "ValidationError"]

_PACKAGE, _CORE = "pydantic_core", "pydantic_core._pydantic_core"


def _loaded() -> ModuleType:
    """Return the compiled module, or the whole package where it is built in another way.

    A later import of the package uses the module that was loaded here.
    """
    if _CORE in sys.modules:
        return sys.modules[_CORE]
    package = importlib.machinery.PathFinder.find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package is not None else None
    spec = importlib.machinery.PathFinder.find_spec(_CORE, folders) if folders else None
    if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
        return importlib.import_module(_PACKAGE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_CORE] = module
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from pydantic_core import SchemaValidator, ValidationError
else:
    _core = _loaded()
    SchemaValidator, ValidationError = _core.SchemaValidator, _core.ValidationError
