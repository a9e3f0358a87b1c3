"""Fixtures and settings of all tests: an environment that is the same on every machine, and `make_tree`."""

from __future__ import annotations

import importlib
import itertools
import os
import re
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from bulkup.helpers.event_logger import render_with

MakeTree = Callable[[Path, Mapping[str | bytes, bytes]], Path]

_SLOW_TIMEOUT = 3600  # seconds that a slow test may take; pyproject.toml has the timeout of the others
# Variables of a user, a terminal or a CI service that change output or the way to servers on this machine.
_UNWANTED = ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "TTY_COMPATIBLE", "GITHUB_ACTIONS", "COLUMNS", "LINES")
# Python would compile the command anew at each start.
_SLOWING = "PYTHONDONTWRITEBYTECODE"
_UNWANTED_ENDS = ("_proxy", "_PROXY")


def pytest_configure() -> None:
    """Set the process up before any test: default signal handlers, and no variable that changes results.

    A shell's `&` and `nohup` start programs that ignore some signals, and tests send those.
    """
    hypothesis.settings.register_profile("bulkup", deadline=None)  # an example may be slow on a busy machine
    hypothesis.settings.load_profile("bulkup")
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    for name in list(os.environ):
        if name in (*_UNWANTED, _SLOWING) or name.endswith(_UNWANTED_ENDS):
            del os.environ[name]
    # Typer reads FORCE_COLOR when this module is first imported. A test that sets the variable must not be the first.
    importlib.import_module("typer.rich_utils")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests a longer timeout."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Measure no coverage in a test that is marked `unmeasured`. It would take up to five times as long."""
    if not item.get_closest_marker("unmeasured"):
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


@pytest.fixture(scope="session")
def _new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a folder whose name begins as given, and ends with a number.

    pytest's own function reads the names of all earlier folders, which takes milliseconds after thousands of tests.
    """
    root = tmp_path_factory.getbasetemp()
    numbers = itertools.count()

    def make(name: str) -> Path:
        (folder := root / f"{name}_{next(numbers)}").mkdir(mode=0o700)
        return folder

    return make


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, _new_folder: Callable[[str], Path]) -> Path:
    """Return a folder named after the test. The name is short, because the path of a socket has at most 107 bytes."""
    return _new_folder(re.sub(r"\W", "_", request.node.name)[:26])


@pytest.fixture(autouse=True)
def _private_environment(monkeypatch: pytest.MonkeyPatch, _new_folder: Callable[[str], Path]) -> None:
    """Hide the user's BULKUP_* variables, journals, stores and configuration from the test."""
    for name in [name for name in os.environ if name.startswith("BULKUP_")]:
        monkeypatch.delenv(name)
    home = _new_folder("xdg")
    for kind in ("STATE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


@pytest.fixture(autouse=True)
def _log_to_structlog() -> Iterator[None]:
    """Undo the log setup of a command that ran in this process: its standard error is closed by then."""
    yield
    render_with(None)
    if "structlog" in sys.modules:
        sys.modules["structlog"].reset_defaults()


@pytest.fixture
def make_tree() -> MakeTree:
    """Return a function that writes files below a directory, from a mapping of relative names to contents."""

    def make(root: Path, files: Mapping[str | bytes, bytes]) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = os.path.join(os.fsencode(root), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return root

    return make
