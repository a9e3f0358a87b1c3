"""Regular expressions that are compiled at their first use.

A run needs a few of about eighty patterns, and compiling all of them takes a twentieth of the CPU time of a start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

__all__ = ["lazy_pattern"]

if TYPE_CHECKING:
    from re import compile as lazy_pattern
else:

    def lazy_pattern(expression: str | bytes, flags: int = 0) -> _Pattern:
        """Return a pattern like `re.compile`. An error in the expression is raised at its first use."""
        return _Pattern(expression, flags)


class _Pattern:
    def __init__(self, expression: str | bytes, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._expression, self._flags), name)
        setattr(self, name, value)  # the next use finds it without this method
        return value
