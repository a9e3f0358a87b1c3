"""What every test gets: an environment without a trace of the machine's own bulkup, and a way to make trees."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakeTree = Callable[[Path, Mapping[str | bytes, bytes]], Path]


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
