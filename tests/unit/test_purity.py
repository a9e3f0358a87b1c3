"""Modules and functions whose docstring says "Pure." do no I/O, read no clock and know no event loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulkup

ROOT = Path(bulkup.__file__).parent
SAYS_PURE = re.compile(r"\bPure[.:;]|: pure\b")
# Modules with I/O, a clock, threads or an event loop.
FORBIDDEN = frozenset(
    {
        *("aiofiles", "aiohttp", "anyio", "asyncio", "httptools", "requests", "structlog", "uvloop"),
        *("concurrent", "ctypes", "fcntl", "glob", "http", "io", "logging", "mmap", "multiprocessing", "pathlib"),
        *("queue", "resource", "select", "selectors", "shutil", "signal", "sqlite3", "ssl", "subprocess", "sys"),
        *("tempfile", "threading", "urllib.request"),
    }
)
# Of these, only functions that work on their arguments alone.
ALLOWED = {
    "os": frozenset({"fsdecode", "fsencode", "fspath", "path", "sep", "stat_result"}),
    "os.path": frozenset({"basename", "commonprefix", "dirname", "isabs", "join", "normpath", "split", "splitext"}),
    "socket": frozenset({"inet_aton", "inet_ntoa", "inet_ntop", "inet_pton", "AF_INET", "AF_INET6"}),
    "time": frozenset({"gmtime", "strftime", "strptime"}),
}
BUILTINS = frozenset({"breakpoint", "input", "open", "print"})
CLOCKS = frozenset({"now", "today", "utcnow"})  # of datetime

Code = ast.Module | ast.FunctionDef
TREES = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def says_pure(code: Code) -> bool:
    return SAYS_PURE.search(ast.get_docstring(code) or "") is not None


def impurities(code: Code) -> list[str]:
    """Return the reasons why code is not pure, with their lines."""
    return [f"line {line}: {name}" for line, name in _used(code) if not _allowed(name)]


def _used(code: Code) -> Iterator[tuple[int, str]]:
    """Yield the names that may be impure: imported modules, attributes of modules, and `async`."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield node.lineno, "async"
        elif isinstance(node, ast.Name) and node.id in BUILTINS:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            name = _dotted(node)
            if name.split(".")[0] in {"asyncio", "anyio", "date", "datetime", *ALLOWED}:
                yield node.lineno, name


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _allowed(name: str) -> bool:
    parts = name.split(".")
    prefixes = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    if name == "async" or name in BUILTINS or not FORBIDDEN.isdisjoint(prefixes):
        return False
    if parts[0] in {"date", "datetime"}:
        return parts[-1] not in CLOCKS
    return all(parts[module.count(".") + 1] in names for module, names in ALLOWED.items() if module in prefixes[:-1])


PURE_MODULES = [path for path, tree in TREES.items() if says_pure(tree)]


@pytest.mark.parametrize("path", PURE_MODULES, ids=str)
def test_modules_that_say_pure_are(path: Path) -> None:
    assert impurities(TREES[path]) == []


def test_functions_that_say_pure_are() -> None:
    found = {
        f"{path}: {node.name}": impurities(node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and says_pure(node)
    }
    assert found  # else the pattern is wrong
    assert {name: reasons for name, reasons in found.items() if reasons} == {}


def test_the_modules_that_decide_say_pure() -> None:
    """So that these tests look at them."""
    decide = {
        "controller",
        "decision",
        "goodput",
        "least_latency",
        "host_gate",
        "leases",
        "pace",
        "process_plan",
        "retry",
        "verification",
    }
    assert decide <= {path.stem for path in PURE_MODULES}


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.monotonic()",
        "from os import stat",
        "import os\nos.stat('x')",
        "import os\nos.path.exists('x')",
        "import anyio.abc",
        "async def f() -> None: ...",
        "open('x')",
        "from urllib import request",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now()",
    ],
)
def test_impure_code_is_found(code: str) -> None:
    assert impurities(ast.parse(code))


@pytest.mark.parametrize(
    "code", ["import os\nos.fsdecode(b'x')\nos.path.join('a', 'b')", "from os.path import join", "import urllib.parse"]
)
def test_pure_code_is_accepted(code: str) -> None:
    assert not impurities(ast.parse(code))
