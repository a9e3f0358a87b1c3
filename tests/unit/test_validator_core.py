"""pydantic's compiled core, loaded alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SAME = "assert pydantic_core.ValidationError is bulkup.config.validator_core.ValidationError"
_USED = """
from pydantic import BaseModel
class Model(BaseModel):
    a: int
try:
    Model(a="x")
except bulkup.config.validator_core.ValidationError as error:
    print(error.errors()[0]["type"])
"""


@pytest.mark.parametrize("first", ["bulkup.config.validator_core, pydantic_core", "pydantic_core, pydantic"])
def test_its_classes_are_those_of_the_package(first: str) -> None:
    """Whichever is imported first, also by another part of the program."""
    script = f"import {first}, bulkup.config.validator_core\n{_SAME}\n{_USED}"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["int_parsing"], done.stderr


def test_the_rest_of_the_package_is_not_imported() -> None:
    script = "import sys, bulkup.config.validator_core; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert {"pydantic_core", "pydantic_core.core_schema"} & set(done.stdout.split()) == set()
