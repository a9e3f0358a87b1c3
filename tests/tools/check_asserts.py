"""Find asserts that cannot fail: `python tests/tools/check_asserts.py tests`.

Python reads `assert x == 4 if ready else 5` as `assert ((x == 4) if ready else 5)`, which passes for any `x` where
`ready` is false. A conditional expression is therefore reported wherever it is the whole test of an assert.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def main(folders: Sequence[str]) -> int:
    """Print a line for each assert that cannot fail, and return 1 if there is one."""
    problems = [
        f"{path}:{line}: {problem}"
        for folder in folders
        for path in sorted(Path(folder).rglob("*.py"))
        for line, problem in find_problems(path.read_text())
    ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def find_problems(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the problem of each assert that cannot fail."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            if isinstance(node.test, ast.IfExp):
                yield node.lineno, "assert of a conditional expression: write an if, or compare with (a if b else c)"
            elif _is_always_true(node.test):
                yield node.lineno, "assert that cannot fail"


def _is_always_true(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return bool(node.value)
        case ast.Tuple() | ast.List() | ast.Set():
            return any(not isinstance(element, ast.Starred) for element in node.elts)
        case ast.Dict():
            return any(key is not None for key in node.keys)
        case ast.JoinedStr():
            return any(isinstance(part, ast.Constant) and part.value for part in node.values)
        case ast.GeneratorExp() | ast.Lambda():
            return True
        case ast.NamedExpr(value=value):
            return _is_always_true(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_always_false(operand)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_is_always_true(value) for value in values)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_is_always_true(value) for value in values)
    return False


def _is_always_false(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return not node.value
        case ast.Tuple(elts=[]) | ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
