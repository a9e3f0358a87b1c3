"""What every test gets: an environment without a trace of the machine's own bulkup, and a way to make trees."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakeTree = Callable[[Path, Mapping[str | bytes, bytes]], Path]

_SLOW = 3600  # seconds that a slow test may take; the others have the `timeout` of pyproject.toml


def pytest_configure() -> None:
    """Heed signals wherever the tests are started: `nohup` and a shell's `&` have all that they start ignore some."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests more time before they are taken to hang."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(_SLOW))


@pytest.fixture(autouse=True)
def _private_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No BULKUP_* variable reaches a test, and no test reaches the user's journals, stores or configuration."""
    for name in [name for name in os.environ if name.startswith("BULKUP_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("xdg")
    for kind in ("STATE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))


@pytest.fixture
def make_tree() -> MakeTree:
    """Return a function that writes files below a directory: relative names, text or bytes, to contents."""

    def make(root: Path, files: Mapping[str | bytes, bytes]) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = os.path.join(os.fsencode(root), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return root

    return make
